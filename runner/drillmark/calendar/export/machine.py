"""For one machine: a timer of systemd, exact to the first Tuesday of a quarter, and a crontab."""

from __future__ import annotations

import shlex
from typing import cast

from croniter import croniter

from drillmark.calendar.export.fields import Fields, fields
from drillmark.calendar.export.job import Job, one_line
from drillmark.calendar.zones import zone
from drillmark.define.schedule import Schedule

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEK = 7


def systemd(job: Job) -> dict[str, str]:
    """A service and its timer. SIGINT lets a drill undo its fault before it ends."""
    name = f"drillmark-{job.drill}"
    command = " ".join(_unit(word) for word in [job.program, *job.arguments()])
    service = (
        f"# Written by `drillmark schedule export --to systemd {job.drill}`.\n"
        f"[Unit]\nDescription=Drill: {_plain(job.title)}\nAfter=network-online.target\nWants=network-online.target\n\n"
        f"[Service]\nType=oneshot\nWorkingDirectory={_plain(job.folder)}\nExecStart={command}\n"
        "KillMode=mixed\nKillSignal=SIGINT\nTimeoutStartSec=infinity\nTimeoutStopSec=10min\n"
    )
    times = "".join(f"OnCalendar={text}\n" for text in on_calendar(job.schedule))
    persistent = "false" if job.schedule.missed in (None, "skip") else "true"
    timer = (
        f"# Written by `drillmark schedule export --to systemd {job.drill}`.\n"
        f"[Unit]\nDescription=When the drill is due: {_plain(job.title)}\n\n"
        f"[Timer]\n{times}AccuracySec=1s\nPersistent={persistent}\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return {f"{name}.service": service, f"{name}.timer": timer}


def on_calendar(schedule: Schedule) -> list[str]:
    """The schedule as systemd writes times; it knows zones, weekdays of a month and last days."""
    made, name = fields(schedule), zone(schedule.time_zone).key
    if schedule.cron is None:
        return [_calendar(made, _list(made.day), made.weekday, name)]
    expanded, nth, *_ = croniter.expand(schedule.cron)
    found: list[str] = []
    if made.day is not None or made.weekday is None:
        plain = tuple(day for day in expanded[2] if day not in ("*", "l"))
        if plain or "l" not in expanded[2]:
            found.append(_calendar(made, _list(plain or None), None, name))
        if "l" in expanded[2]:
            found.append(_calendar(made, "", None, name, last=True))
    if made.weekday is None:
        return found
    pairs = ((cast("int", weekday), number) for weekday, numbers in nth.items() for number in numbers)
    numbered = set(pairs)
    free = tuple(day for day in made.weekday if day not in {weekday for weekday, _ in numbered})
    if free:
        found.append(_calendar(made, "*", free, name))
    for weekday, number in sorted(numbered, key=lambda each: each[1]):
        first = (number - 1) * _WEEK + 1
        days = f"{first}..{min(first + _WEEK - 1, 31)}"
        found.append(_calendar(made, days, (weekday,), name))
    return found


def crontab(job: Job) -> dict[str, str]:
    """Lines for a crontab."""
    command = f"cd {shlex.quote(job.folder)} && {shlex.join([job.program, *job.arguments()])}".replace("%", "\\%")
    name = zone(job.schedule.time_zone).key
    return {
        f"drillmark-{job.drill}.crontab": (
            f"# {one_line(job.title)}. Written by `drillmark schedule export --to cron {job.drill}`.\n"
            f"# cronie reads CRON_TZ. Debian's cron does not: there the machine's own clock must be that of {name},\n"
            "# or nothing is due when it asks; a systemd timer has no such limit.\n"
            f"CRON_TZ={name}\n{fields(job.schedule)} {command}\n"
        )
    }


def _calendar(made: Fields, days: str, weekdays: tuple[int, ...] | None, name: str, *, last: bool = False) -> str:
    on = ",".join(dict.fromkeys(_WEEKDAYS[day] for day in weekdays)) + " " if weekdays is not None else ""
    date = f"*-{_list(made.month)}~01" if last else f"*-{_list(made.month)}-{days}"
    return f"{on}{date} {_list(made.hour)}:{_list(made.minute)}:00 {name}"


def _list(numbers: tuple[int, ...] | None) -> str:
    return "*" if numbers is None else ",".join(f"{number:02d}" for number in numbers)


def _unit(word: str) -> str:
    """A word of a command line in a unit."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if word and not set(word) & set(" \t'\"\\;") else f'"{escaped}"'


def _plain(text: str) -> str:
    """A value of a unit: on one line, without specifiers."""
    return one_line(text).replace("%", "%%").rstrip("\\")
