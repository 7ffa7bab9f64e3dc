"""What was measured: every number with its uncertainty, and with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drillmark.model.stamp import Interval, Stamp


@dataclass(frozen=True, slots=True)
class Cited:
    """Where a number comes from."""

    entries: tuple[int, ...] = ()  # journal sequence numbers
    samples: tuple[str, ...] = ()  # sample files, relative to the run
    formula: str = ""  # e.g. "RTA = [max(0, c - b), d - a]"
    filled_in: str = ""  # the same with the numbers
    terms: dict[str, Any] = field(default_factory=dict)  # name of a term -> value (seconds since I unless named)


@dataclass(frozen=True, slots=True)
class Measured:
    """One duration, or the reason why there is none.

    Attributes:
        seconds: the interval that holds the truth; None where there is none: unknown, or not applicable.
        reason: why there is none, or why it has no upper bound; empty where all is well.
        flags: what a reader must know beside it: "unattended", "effect not probed", "restored by outcome", ...
        applicable: False where this run has no such duration (nothing was to be measured).
        away_seconds: how much of `seconds.lo` the runner was away for; such a delay may be ours.
    """

    seconds: Interval | None
    reason: str = ""
    flags: tuple[str, ...] = ()
    cited: Cited = Cited()
    applicable: bool = True
    away_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Writes:
    """What became of the marker writes. Counts are exact; "old" is what the store had before it was restored.

    Attributes:
        acknowledged: A, old writes acknowledged.
        attempted: T, old writes sent.
        survived: S, old writes that were read back: the row is left by them, or by a later write that found them there.
        lost: acknowledged, old, and missing: the row is absent, or as it was before them.
        unproved: acknowledged and old, and neither: the row was deleted later, or overwritten without a comparison.
        recovered: read back though never acknowledged (indeterminate or failed writes that had landed).
        unexpected: read back though never sent, over all writes of the run.
        indeterminate: sent, neither acknowledged nor refused, over all writes of the run.
        holes: lost with their row, although an old write that was sent after their acknowledgement survived.
        lost_updates: updates that were lost likewise; their row is there, as it was before them.
        resurrected: deletions that were lost likewise; their row is there.
        split_brain: acknowledged by the old store after the new one had acknowledged a write; None: not to be seen, as
            the store has no timelines, or one all through.
        acknowledged_after: acknowledged by the restored store; in a simulated disaster by production, after it.
        lost_after: acknowledged by the restored store, and not read back.
        duplicates: rows read back more than once.
        lost_before_t0: of `lost`, those acknowledged before the earliest time of the disaster.
        lost_ids, hole_ids, lost_update_ids, resurrected_ids, unexpected_ids, split_brain_ids: the first of each, at
            most `LISTED`: numbers of writes; of unexpected ones, of rows.
        cited: what the counts rest on.
    """

    acknowledged: int = 0
    attempted: int = 0
    survived: int = 0
    lost: int = 0
    recovered: int = 0
    unexpected: int = 0
    indeterminate: int = 0
    holes: int = 0
    lost_updates: int = 0
    resurrected: int = 0
    unproved: int = 0
    split_brain: int | None = 0
    acknowledged_after: int = 0
    lost_after: int = 0
    duplicates: int = 0
    lost_before_t0: int = 0
    lost_ids: tuple[int, ...] = ()
    hole_ids: tuple[int, ...] = ()
    lost_update_ids: tuple[int, ...] = ()
    resurrected_ids: tuple[int, ...] = ()
    unexpected_ids: tuple[int, ...] = ()
    split_brain_ids: tuple[int, ...] = ()
    cited: Cited = Cited()


@dataclass(frozen=True, slots=True)
class Noted:
    """An alert or a person's word, and whether it counts as detection.

    Attributes:
        entry: its journal entry.
        at_seconds: when it was received, in seconds since I; negative before it.
        name: the alert's name, or the person's.
        status: `firing`, `resolved`, `unreadable` or `declared`.
        counts: None: it is not known whether it began before the fault.
        why: why it does not count, or is not known to.
    """

    entry: int
    at_seconds: dict[str, float]
    name: str
    route: str
    status: str
    labels: dict[str, str]
    counts: bool | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Detected:
    """Who noticed the disaster. `by` is empty where nobody did; `noted` holds at most `LISTED`, `heard` counts all."""

    by: str = ""
    kind: str = ""  # alert | person | empty
    declared_by: str = ""
    heard: int = 0
    noted: tuple[Noted, ...] = ()


LISTED = 100  # how many ids of a kind are listed


@dataclass(frozen=True, slots=True)
class Writer:
    """One marker writer, measured.

    Attributes:
        name: what it is called in the drill.
        store: what kind of store it writes to.
        writes: None where nothing that it wrote was read back.
        durations: `rpa`, `rpa_before_t0`, `rpa_after_t0` by its writes alone.
    """

    name: str
    store: str
    writes: Writes | None
    durations: dict[str, Measured] = field(default_factory=dict[str, Measured])


@dataclass(frozen=True, slots=True)
class Indicator:
    """One service level indicator over one window.

    Attributes:
        name: `availability`, `error_rate`, `latency.p50`, `latency.p95`, `latency.p99` or `throughput`.
        unit: `ratio`, `seconds` or `per_second`.
        observed: the value, as an interval where samples are missing; None: not measured. `hi` None: requests
            that were never answered rightly stand at that percentile.
        objective: the number it is held against; None: reported only.
        met: None is unknown.
        reason: why it is not met or not known.
    """

    name: str
    unit: str
    observed: Interval | None
    objective: float | None = None
    met: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PhaseSlo:
    """The service level in one phase.

    Attributes:
        phase: `baseline`, `fault`, `outage`, `hold` or `soak`.
        window_seconds: (begin, end), seconds since I; negative before it.
        judged: False where it is reported only.
        indicators: by name.
        good_beats, bad_beats, absent_beats: beats sent in the window; those in flight at its edge count for none.
        beat_p50_seconds, beat_p95_seconds, beat_p99_seconds: latency of the open-loop beats, which no stall of the
            load can flatter; None: that share was not answered rightly within the time-out.
        requests, errors: of the load.
        cited: what the numbers rest on.
    """

    phase: str
    window_seconds: tuple[float, float]
    judged: bool
    indicators: dict[str, Indicator] = field(default_factory=dict)
    good_beats: int = 0
    bad_beats: int = 0
    absent_beats: int = 0
    beat_p50_seconds: float | None = None
    beat_p95_seconds: float | None = None
    beat_p99_seconds: float | None = None
    requests: int = 0
    errors: int = 0
    cited: Cited = Cited()


@dataclass(frozen=True, slots=True)
class Check:
    """A yes-or-no question that was measured: None is unknown."""

    met: bool | None
    reason: str = ""
    cited: Cited = Cited()
    applicable: bool = True


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that a run says in numbers.

    Attributes:
        fault_begin: I; every time below is in seconds since it. None: nothing was injected, and times count
            from the run's first entry.
        stamps: `I`, `e`, `t0`, `t_detect`, `t_declare`, `t_restore_start`, `t_data_restored`, `t_verified`,
            `t_service_restored`, `first_refused`, `undo_begin`, `undo_end`, `soak_end` ->
            {"lo": seconds, "hi": seconds}, or None where there is none.
        durations: `rta`, `rpa`, `rpa_before_t0`, `rpa_after_t0`, `rpa_by_position`, `time_to_detect`, `wrt`,
            `rta_and_wrt`, `after_undo`, `from_declaration`, `restore_copy`, `restore_replay`, `restore_verify`.
        slo: by phase.
        detection: what alerts and people told; None where nothing was listened for and nobody declared anything.
        writes: of all marker writers together; None where those of one are not known.
        writers: each marker writer on its own.
        steady_state: the steady state before the fault, from the samples.
        production: whether production kept its service level all through a simulated disaster.
        source: whether a simulated disaster was restored from what was there at t0, and from nothing later.
        flags: what holds for the whole run, e.g. "unattended", "effect not probed", "resumed".
        errors: measuring parts that raised; what they measure is unknown.
    """

    fault_begin: Stamp | None
    stamps: dict[str, dict[str, float] | None] = field(default_factory=dict)
    durations: dict[str, Measured] = field(default_factory=dict)
    slo: dict[str, PhaseSlo] = field(default_factory=dict)
    detection: Detected | None = None
    writes: Writes | None = None
    writers: tuple[Writer, ...] = ()
    steady_state: Check = Check(None)
    production: Check = Check(None, applicable=False)
    source: Check = Check(None, applicable=False)
    flags: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def rta(self) -> Measured:
        """The recovery time actual."""
        return self.durations.get("rta", Measured(None, "not measured"))

    @property
    def rpa(self) -> Measured:
        """The recovery point actual."""
        return self.durations.get("rpa", Measured(None, "not measured"))
