"""The calendar: when drills are due, by their schedules alone. Pure: what time it is and what files say is handed in.

    occurrences(schedule, drill, after=, until=, blackouts=)    what runs by the schedule, in order
    due(schedule, drill, since=, now=, blackouts=)              what a scheduler starts now, and what it missed
    shut_at(schedule, at, blackouts=)                           what forbids a start then: the window or a blackout
    explain(schedule, drill, at, blackouts=)                    all that in a sentence
    problems(schedule, now=, blackouts=), warnings(...)         whether the schedule can ever come true
    read_ics(data, name)                                        a calendar file, one of the `blackouts`

Needs the extra `fleet` (croniter; icalendar where a schedule names calendar files).
"""

from typing import TYPE_CHECKING

from drillmark import lazily

if TYPE_CHECKING:
    from drillmark.calendar.blackouts import CalendarFile
    from drillmark.calendar.checks import Finding, problems, warnings
    from drillmark.calendar.explaining import explain
    from drillmark.calendar.ics import read_ics
    from drillmark.calendar.missed import Due, Missed, due
    from drillmark.calendar.occurring import Occurrence, Shut, nominal, occurrence, occurrences, shut_at

__all__ = [
    "CalendarFile",
    "Due",
    "Finding",
    "Missed",
    "Occurrence",
    "Shut",
    "due",
    "explain",
    "nominal",
    "occurrence",
    "occurrences",
    "problems",
    "read_ics",
    "shut_at",
    "warnings",
]

__getattr__ = lazily.parts(
    __name__,
    {
        "CalendarFile": "blackouts",
        **dict.fromkeys(("Finding", "problems", "warnings"), "checks"),
        "explain": "explaining",
        "read_ics": "ics",
        **dict.fromkeys(("Due", "Missed", "due"), "missed"),
        **dict.fromkeys(("Occurrence", "Shut", "nominal", "occurrence", "occurrences", "shut_at"), "occurring"),
    },
)
