"""The local times of a cron line, read by croniter on a clock without a zone; `zones` says when they are.

croniter takes some hundred microseconds for a step, and a heartbeat asks for thousands of lines every few seconds:
the stretch of a line's times that is known is kept. Must never decide whether a drill runs then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

from croniter import CroniterBadDateError, CroniterError, croniter

from drillmark.errors import UsageError

_KEPT = 48


class Line:
    """One cron line.

    Attributes:
        text: the line as written.
        every_hour: it names no hours; such a line runs on through an hour that comes twice.
        joins_days_by_or: it restricts both the day of the month and the weekday: one of them is enough.
    """

    def __init__(self, text: str) -> None:
        fields = croniter.expand(text)[0]
        self.text = text
        self.every_hour = text.split()[1].startswith("*")
        self.joins_days_by_or = fields[2] != ["*"] and fields[4] != ["*"]
        # All times later than the first and up to the last of the tuple.
        self._known: tuple[datetime, tuple[datetime, ...]] | None = None

    def after(self, wall: datetime) -> Iterator[datetime]:
        """The times of the line later than `wall`, in order; none where the line has none for fifty years."""
        known = self._known
        if known is None or wall < known[0] or (known[1] and wall >= known[1][-1]):
            known = wall, ()
        since, times = known
        yield from times[bisect_right(times, wall) :]
        steps = croniter(self.text, times[-1] if times else wall)
        while True:
            try:
                found: datetime = steps.get_next(datetime)
            except CroniterBadDateError:
                return
            if len(times) == _KEPT:
                since, times = times[0], times[1:]
            times = (*times, found)
            self._known = since, times
            yield found


@lru_cache(maxsize=32768)
def line(text: str) -> Line:
    """The cron line of that text. Raises UsageError for one that is none; `define` has told so before."""
    try:
        return Line(text)
    except (CroniterError, ValueError) as error:
        raise UsageError(f'"{text}" is no cron line: {error}') from error
