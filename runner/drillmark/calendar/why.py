"""Why a drill runs, ran or did not, in sentences: the schedule's part, and what is known of the occurrence.

What is known is handed in (`Known`), by whoever reads decisions, queue and journal. Must never call something run of
which nothing says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drillmark.calendar.blackouts import CalendarFile
from drillmark.calendar.explaining import next_one, rule, when
from drillmark.calendar.occurring import Shut, nominal, occurrence
from drillmark.define.schedule import Schedule

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Fate:
    """What a worker's queue knows of an occurrence: `state` is waiting, queued, running or ended."""

    state: str
    says: str = ""
    run: str = ""
    verdict: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the schedule, each in words; empty where there is nothing to say.

    Attributes:
        fate: what became of the occurrence; None where no queue knows it.
        paused: by whom and until when.
        stop: by whom the global stop was given, and why.
        refused: why a run would be refused then, as things stand.
        by_hand: a run of the drill around that time that no worker started.
        queue: whether there is a queue of workers at all.
        later: when the drill's file was written, if that was after the time in question; a drill, or a changed
            schedule, counts from when a worker first sees it.
    """

    fate: Fate | None = None
    paused: str = ""
    stop: str = ""
    refused: str = ""
    by_hand: str = ""
    queue: bool = False
    later: datetime | None = None


def meant(
    schedule: Schedule, at: datetime, *, whole_day: bool, blackouts: Sequence[CalendarFile] = ()
) -> tuple[datetime, Shut | None] | None:
    """The nominal time that is asked for: the one at that minute, or on that day; one that runs comes first."""
    after = at - timedelta(seconds=1)
    until = at + _DAY - timedelta(seconds=1) if whole_day else at
    found = list(nominal(schedule, after=after, until=until, blackouts=blackouts))
    return next((each for each in found if each[1] is None), found[0] if found else None)


def latest(
    schedule: Schedule, before: datetime, *, blackouts: Sequence[CalendarFile] = ()
) -> tuple[datetime, Shut | None] | None:
    """The last nominal time not later than `before`, in the two years before it."""
    for days in (2, 32, 370, 740):
        since = before - timedelta(days=days)
        found = list(nominal(schedule, after=since, until=before, blackouts=blackouts))
        if found:
            return found[-1]
    return None


def sentence(
    schedule: Schedule,
    drill: str,
    due: datetime,
    shut: Shut | None,
    *,
    now: datetime,
    known: Known,
    blackouts: Sequence[CalendarFile] = (),
) -> str:
    """Why the drill ran at that nominal time, will run, or did not."""
    there = when(due, schedule)
    if shut is not None:
        tense = "does not run" if due > now else "did not run"
        following = f"; {next_one(schedule, drill, due, blackouts=blackouts)}" if due > now else ""
        return f"{drill} {tense} at {there}: {rule(schedule)} names that time, but it lies {shut.words}{following}."
    start = occurrence(schedule, drill, due, blackouts=blackouts).start
    jitter = f", {int((start - due).total_seconds())} s later by its jitter" if start != due else ""
    if known.fate is not None:
        return _told(drill, there, rule(schedule), known.fate, known.paused)
    held = "; ".join(text for text in (known.paused, known.stop, known.refused) if text)
    named = rule(schedule)
    if start > now:
        if held:
            return f"{drill} is due at {there} by {named}, but will not run as things stand: {held}."
        return f"{drill} will run at {there}{jitter}: {named} names that time, and nothing stands against it."
    if known.by_hand:
        return f"{drill} was due at {there} by {named}; no worker ran it, but {known.by_hand}."
    if known.later is not None and known.queue and not held:
        # Not more than a guess: a checkout or a new title also writes it.
        young = f"its file was written at {when(known.later, schedule)}, after that, and may not have stood there then"
        told = f"{drill} did not run at {there}, when it was due by {named}: no worker took note of it ({young})."
    else:
        nobody = "no worker took note of it" if known.queue else "no worker has ever run here (`drillmark worker`)"
        told = f"{drill} did not run at {there}, when it was due by {named}: {held or nobody}."
    return told


def not_due(
    schedule: Schedule, drill: str, at: datetime, *, whole_day: bool, blackouts: Sequence[CalendarFile] = ()
) -> str:
    """That nothing is due then, and when the next one is."""
    there = when(at, schedule)
    there = there[: len("Tue 2027-01-05")] if whole_day else there
    following = next_one(schedule, drill, at, blackouts=blackouts)
    return (
        f"{drill} is not due {'on' if whole_day else 'at'} {there}: {rule(schedule)} names no such time; {following}."
    )


def triggered(drill: str, there: str, who: str, fate: Fate | None, *, waits: bool) -> str:
    """What became of a run that somebody wanted outside the schedule. `waits`: a worker may still take note of it."""
    head = f"{who} triggered {drill} at {there}"
    if fate is None:
        return f"{head}: " + (
            "it waits for a worker to take note of it." if waits
            else "it did not run, as no worker took note of it within the hour."
        )  # fmt: skip
    because = f" ({fate.reason})" if fate.reason else ""
    if fate.state == "ended" and not fate.run:
        return f"{head}: it did not run: {fate.verdict}{because}."
    if fate.state == "ended":
        return f"{head}: it ran: run {fate.run}, {fate.verdict or 'unknown'}{because}."
    if fate.state == "running":
        return f"{head}: it is running: run {fate.run or 'about to begin'}."
    return f"{head}: it waits: {fate.says or 'a worker takes it in a moment'}."


def _told(drill: str, there: str, named: str, fate: Fate, paused: str) -> str:
    if fate.state == "ended" and not fate.run:
        return f"{drill} did not run at {there}, when it was due by {named}: {fate.verdict}, {paused or fate.reason}."
    if fate.state == "ended":
        because = f" ({fate.reason})" if fate.reason else ""
        return f"{drill} ran at {there}, as {named} says: run {fate.run}, {fate.verdict or 'unknown'}{because}."
    if fate.state == "running":
        return f"{drill} is running, as {named} says for {there}: run {fate.run or 'about to begin'}."
    waits = fate.says or "a worker takes it in a moment"
    return f"{drill} is due at {there} by {named}, and waits: {waits}."
