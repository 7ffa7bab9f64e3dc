"""What a scheduler starts now: occurrences that are due, and what becomes of those that nobody started in time.

`missed` of the schedule decides: `skip` (what is later than a few minutes is left out; this is the rule unless
another is given), `{run_within: 6h}` (each is made up for while it is no later than that), `once` (only the newest,
however late). A late start keeps to window and blackouts as every start does. Must never know what ran: whoever asks
starts an occurrence once, by its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drillmark.calendar.blackouts import CalendarFile
from drillmark.calendar.occurring import Occurrence, occurrences, shut_at
from drillmark.define.schedule import RunWithin, Schedule

# A heartbeat may be late, and a worker may take its time to restart: that is not a missed run.
GRACE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Missed:
    """An occurrence that is not started, and why."""

    occurrence: Occurrence
    words: str


@dataclass(frozen=True, slots=True)
class Due:
    """What there is to do now.

    Attributes:
        run: to be started, in order.
        missed: too late, for good: to be noted as missed.
        waiting: nominal time is over, but the start is not reached (jitter), or it is late and the window or a blackout
            forbids a start now: ask again with the same `since`.
    """

    run: tuple[Occurrence, ...] = ()
    missed: tuple[Missed, ...] = ()
    waiting: tuple[Occurrence, ...] = ()


def due(
    schedule: Schedule,
    drill: str,
    *,
    since: datetime,
    now: datetime,
    blackouts: Sequence[CalendarFile] = (),
    grace: timedelta = GRACE,
) -> Due:
    """What of the occurrences later than `since` and not later than `now` is to be started now.

    `since` is how far the scheduler has come: everything up to it was started or noted as missed.
    """
    passed = list(occurrences(schedule, drill, after=since, until=now, blackouts=blackouts))
    run: list[Occurrence] = []
    missed: list[Missed] = []
    waiting: list[Occurrence] = []
    ready = [each for each in passed if each.start <= now]
    waiting += [each for each in passed if each.start > now]
    for each in ready:
        late = now - each.start
        words = _too_late(schedule, late, newest=each == ready[-1], grace=grace)
        if words:
            missed.append(Missed(each, words))
        elif late > grace and shut_at(schedule, now, blackouts=blackouts):
            waiting.append(each)
        else:
            run.append(each)
    return Due(tuple(run), tuple(missed), tuple(waiting))


def _too_late(schedule: Schedule, late: timedelta, *, newest: bool, grace: timedelta) -> str:
    """Why an occurrence is not made up for any more; empty while it may be."""
    if late <= grace:
        return ""
    told = f"nobody started it in time ({_told(late)} late)"
    if isinstance(schedule.missed, RunWithin):
        within = timedelta(seconds=schedule.missed.run_within)
        return f"{told}, and missed: run_within is {_told(within)}" if late > within else ""
    if schedule.missed == "once":
        return "" if newest else f"{told}, and missed: once runs only the newest"
    return f"{told}, and missed: skip makes up for none"


def _told(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d"] * bool(days) + [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return " ".join(parts) or f"{int(span.total_seconds())} s"
