"""What a restore says of itself: when the data were there, how long copy and replay took, up to when it reaches.

The report is what a recovery activity returned, under the key `drillmark`. It is another program's word: whatever
does not make sense in it counts as not said.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from drillmark.measure.timeline.frame import Frame, Span, UnmeasurableError
from drillmark.measure.timeline.history import Ran
from drillmark.model.stamp import Stamp


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A restore's report, on the run's axis.

    Attributes:
        data_restored: [last check false, first check true].
        copy, replay, verify: (begin, end) in ns since I; None: not told apart.
        recovery_point: the time of the last transaction replayed.
        entry: sequence number of the outcome that holds it.
    """

    data_restored: Span | None
    copy: tuple[int, int] | None
    replay: tuple[int, int] | None
    verify: tuple[int, int] | None
    recovery_point: Span | None
    entry: int
    values: dict[str, Any]


def restore_report(recoveries: Sequence[Ran], frame: Frame) -> RestoreReport | None:
    """The report of the last recovery activity that returned one."""
    for ran in reversed(recoveries):
        outcome, ended = ran.outcome, ran.ended
        if outcome is None or ended is None:
            continue
        output = outcome.data.get("output")
        found = cast("dict[str, Any]", output).get("drillmark") if isinstance(output, dict) else None
        if isinstance(found, dict):
            begun = ran.intents[-1].stamp if ran.intents else ended
            return _read(cast("dict[str, Any]", found), frame, begun, ended, outcome.sequence)
    return None


def _read(data: dict[str, Any], frame: Frame, begun: Stamp, ended: Stamp, entry: int) -> RestoreReport:
    return RestoreReport(
        data_restored=_data_restored(data, frame, begun, ended),
        copy=_pair(data.get("copy_ns"), frame, ended),
        replay=_pair(data.get("replay_ns"), frame, ended),
        verify=_pair(data.get("verify_ns"), frame, ended),
        recovery_point=_recovery_point(data, frame, ended),
        entry=entry,
        values=data,
    )


def _data_restored(data: dict[str, Any], frame: Frame, begun: Stamp, ended: Stamp) -> Span | None:
    value = data.get("data_restored_ns")
    if not isinstance(value, list | tuple):
        return None
    edges = cast("list[Any]", value)
    if len(edges) != 2 or not _number(edges[1]):  # noqa: PLR2004 (a pair)
        return None
    upper = frame.span_of(edges[1], ended).hi
    # No check was ever false: it may have been there from the activity's begin.
    lower = frame.span_of(edges[0], ended).lo if _number(edges[0]) else frame.span(begun).lo
    return Span(lower, upper) if lower <= upper else None


def _pair(value: Any, frame: Frame, clock: Stamp) -> tuple[int, int] | None:
    if not isinstance(value, list | tuple):
        return None
    edges = cast("list[Any]", value)
    if len(edges) != 2 or not (_number(edges[0]) and _number(edges[1])) or edges[1] < edges[0]:  # noqa: PLR2004
        return None
    begin = frame.span_of(edges[0], clock).lo
    return begin, begin + edges[1] - edges[0]


def _recovery_point(data: dict[str, Any], frame: Frame, clock: Stamp) -> Span | None:
    if _number(data.get("last_transaction_ns")):
        return frame.span_of(data["last_transaction_ns"], clock)
    if _number(data.get("last_transaction_wall_ns")):
        with suppress(UnmeasurableError):
            return frame.wall_span(data["last_transaction_wall_ns"])
    return None


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
