"""What the charts of a report show: samples and journal reduced to a few hundred points on the run's time axis. Pure.

Must never invent a point: where samples are missing there is a stretch that says so, and no line is drawn across it.
A million requests and a thousand give the same number of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from drillmark.measure import scene
from drillmark.measure.scene import Scene
from drillmark.measure.timeline.frame import UnmeasurableError
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.evidence import Evidence
from drillmark.model.stamp import NANOSECONDS
from drillmark.report.series import beats, load, moments, progress, writes
from drillmark.report.series.grid import Grid

Row = dict[str, Any]


@dataclass(slots=True)
class Series:
    """Rows for the charts; times in seconds since I, or since the run's first entry where nothing was injected.

    Attributes:
        begin, end: what was observed.
        injected: whether zero is I.
        simulated: whether nothing was broken at I, as it is the declaration.
        undone: whether the fault, or the copy, is proved gone.
        phases: `name`, `from`, `to`.
        beats: `strip` (whose beats), `state` (good, bad, absent), `from`, `to`, `count`.
        availability: `t`, `v`; one row for each bin, v null where no beat is.
        load: `t`, `p50`, `p95`, `p99` (seconds), `ok`, `errors` (per second); nulls where the load was silent.
        load_is_beats: there is no load, and the latencies are those of the beats.
        writes: `t`, and how many were acknowledged then: `survived`, `lost`, `holes`, `unproved`, `indeterminate`.
        progress: `t`, `stage`, `bytes`, `rate` (bytes per second).
        deeds: `name`, `kind` (fault, action, recover, verify, undo), `from`, `to`, `status`.
        missing: `panel`, `from`, `to`, `why`: samples that are not there.
        notes: panel -> why it shows nothing.
    """

    begin: float = 0.0
    end: float = 0.0
    bin_seconds: float = 1.0
    injected: bool = False
    simulated: bool = False
    undone: bool = False
    phases: list[Row] = field(default_factory=list[Row])
    beats: list[Row] = field(default_factory=list[Row])
    availability: list[Row] = field(default_factory=list[Row])
    load: list[Row] = field(default_factory=list[Row])
    load_is_beats: bool = False
    writes: list[Row] = field(default_factory=list[Row])
    progress: list[Row] = field(default_factory=list[Row])
    deeds: list[Row] = field(default_factory=list[Row])
    missing: list[Row] = field(default_factory=list[Row])
    notes: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw on a time axis."""
        return self.end <= self.begin or not (self.beats or self.load or self.writes or self.deeds)


def reduce(evidence: Evidence, told: Sequence[dict[str, Any]] = ()) -> Series:
    """The series of a run. `told`: the lines of its progress file. Never raises: what cannot be shown has a note."""
    made = Series()
    try:
        this = scene.build(evidence, live=False)
    except UnmeasurableError as error:
        made.notes["picture"] = str(error)
        return made
    made.injected, made.simulated = this.facts.injected, this.evidence.plan.simulated
    begin_ns, end_ns = _observed(this)
    if end_ns <= begin_ns:
        made.notes["picture"] = "nothing was observed"
        return made
    grid = Grid.of(begin_ns, end_ns)
    made.begin, made.end, made.bin_seconds = begin_ns / NANOSECONDS, end_ns / NANOSECONDS, grid.seconds
    for panel, fill in _PANELS.items():
        try:
            fill(this, grid, made, told)
        except UnmeasurableError as error:
            made.notes[panel] = str(error)
        except Exception as error:  # noqa: BLE001 (a chart that cannot be drawn must not cost the page)
            made.notes[panel] = f"it could not be drawn: {error!r}"
    return made


def _moments(this: Scene, grid: Grid, made: Series, told: Sequence[Row]) -> None:
    del told
    made.phases = moments.phases(this.facts, grid.end / NANOSECONDS)
    made.deeds = moments.deeds(this.facts, grid.end / NANOSECONDS)
    made.undone = moments.undone(this.facts)
    for away in this.facts.away:
        made.missing.append(_gap("all", away.lo, away.hi, "no runner was there"))


def _beats(this: Scene, grid: Grid, made: Series, told: Sequence[Row]) -> None:
    del told
    if this.side is not None:
        made.beats += beats.segments(this.side, grid, "copy")
    elif this.evidence.plan.simulated:
        made.notes["beats of the copy"] = this.side_reason
    if this.evidence.plan.probes is None:
        made.notes["beats"] = "the drill has no probes"
        return
    if this.beats is None:
        raise UnmeasurableError(this.beats_reason)
    made.beats += beats.segments(this.beats, grid, "users")
    made.availability = beats.availability(this.beats, grid)
    made.missing += [_gap("availability", *span, "no beats") for span in beats.absences(this.beats, grid)]


def _load(this: Scene, grid: Grid, made: Series, told: Sequence[Row]) -> None:
    del told
    if this.evidence.plan.load is None:
        if this.beats is None:
            made.notes["load"] = "the drill has no load"
            return
        made.load, made.load_is_beats = beats.latencies(this.beats, grid), True
        made.missing += [_gap("latency", *span, "no beats") for span in beats.absences(this.beats, grid)]
        return
    if this.load is None:
        raise UnmeasurableError(this.load_reason)
    made.load = load.rows(this.load, grid)
    for begin, end in load.silences(this.load, grid):
        made.missing += [_gap(panel, begin, end, "the load was silent") for panel in ("latency", "throughput")]


def _writes(this: Scene, grid: Grid, made: Series, told: Sequence[Row]) -> None:
    del told
    if not this.evidence.plan.markers:
        made.notes["writes"] = "the drill wrote no markers"
        return
    made.writes, made.notes["writes"] = writes.rows(this.facts, this.evidence, grid)


def _progress(this: Scene, grid: Grid, made: Series, told: Sequence[Row]) -> None:
    made.progress = progress.rows(this.facts, grid, told)


_PANELS = {"phases": _moments, "beats": _beats, "load": _load, "writes": _writes, "progress": _progress}


def _observed(this: Scene) -> tuple[int, int]:
    """From the start of the baseline, or else of the observers, to when they were told to stop."""
    entries: Sequence[Entry] = this.evidence.entries
    frame, facts = this.facts.frame, this.facts
    first = facts.baseline_begun or facts.frame.span(entries[0].stamp)
    begun = facts.history.one(Effect.OBSERVERS).begun
    if facts.baseline_begun is None and begun is not None:
        first = frame.span(begun)
    stops = [e.stamp for e in entries if e.kind is Kind.INTENT and e.effect is Effect.STOP_OBSERVERS]
    return first.lo, frame.span(stops[-1] if stops else entries[-1].stamp).hi


def _gap(panel: str, begin_ns: int, end_ns: int, why: str) -> Row:
    return {"panel": panel, "from": begin_ns / NANOSECONDS, "to": end_ns / NANOSECONDS, "why": why}
