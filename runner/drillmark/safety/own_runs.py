"""How long drills kept users from a target: counted from our own runs, where nothing else measures the budget.

Of a finished run its RTA counts, by its upper edge; where that was not measured, all the time from the injection to the
proof that the fault was gone. Must never count an outage of unknown length for none.
"""

from __future__ import annotations

from pathlib import Path

from drillmark import clock, samples
from drillmark.errors import SampleFileError
from drillmark.journal.entries import last
from drillmark.journal.port import RunRow, Store
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.stamp import NANOSECONDS

_MOST_PERIODS = 2.5  # a longer gap between beats is an absence


def bad_seconds(store: Store | None, target: str, over_seconds: float, *, without: str = "") -> float:
    """Seconds of outage that runs of a target caused since so long ago. Raises DrillmarkError where nobody can tell."""
    if store is None:
        return 0.0  # there was never a run
    since_ns = clock.now().wall_ns - round(over_seconds * NANOSECONDS)
    rows = [row for row in store.runs() if row.target == target and row.started_wall_ns >= since_ns]
    return sum(of_run(store, row) for row in rows if row.run != without)


def of_run(store: Store, row: RunRow) -> float:
    """Seconds of outage that one run caused."""
    entries = store.read(row.run)
    injected = last(entries, Effect.INJECT)
    if injected is None or _simulated(injected.intent):
        return 0.0
    if injected.outcome is not None and injected.outcome.data.get("nothing_began"):
        return 0.0
    measured = _measured(entries)
    if measured is not None:
        return measured
    # From the injection until the fault was proved gone; as long as it is not, until now.
    ended = next((entry for entry in entries if entry.kind is Kind.UNDONE), None)
    until_ns = ended.stamp.wall_ns if ended else clock.now().wall_ns
    return max(0.0, (until_ns - injected.intent.stamp.wall_ns) / NANOSECONDS)


def bad_beats(run_dir: Path, since_ns: int) -> float:
    """Seconds since then in which the beats of a run that goes on were bad or absent. Raises SampleFileError."""
    rows = samples.stored(run_dir / "samples" / "beats.dms")
    good: dict[int, bool] = {}
    sent: dict[int, int] = {}
    for number in range(rows.pieces):
        columns = rows.piece(number, "beat", "sent_ns", "ok")
        for beat, sent_ns, ok in zip(*(values.tolist() for values in columns.values()), strict=True):
            good[beat] = good.get(beat, True) and bool(ok)
            sent[beat] = min(sent.get(beat, sent_ns), sent_ns)
    if not sent:
        raise SampleFileError("there are no beats yet")
    period_ns = int(rows.meta.get("period_ns", 0)) or NANOSECONDS // 10
    bad_ns, numbers = 0, sorted(sent)
    moments = [*(sent[number] for number in numbers), clock.monotonic_ns()]
    for number, begin, end in zip(numbers, moments, moments[1:], strict=False):
        absent = end - begin > _MOST_PERIODS * period_ns
        if absent or not good[number]:
            bad_ns += max(0, end - max(begin + (period_ns if absent and good[number] else 0), since_ns))
    return bad_ns / NANOSECONDS


def _simulated(intent: Entry) -> bool:
    return isinstance(intent.data.get("source"), dict)


def _measured(entries: tuple[Entry, ...]) -> float | None:
    """The upper edge of the RTA, as the journal has it: the run's folder may be on another machine."""
    concluded = last(entries, Effect.CONCLUDE)
    upper = concluded.outcome.data.get("rta_upper_seconds") if concluded and concluded.outcome else None
    return float(upper) if isinstance(upper, int | float) else None
