"""Wall clocks and instants: what a local time means where clocks are put forward or back.

A local time that does not exist (clocks went forward over it) is the moment of the jump: what was due in the hour
that is missing is neither lost nor run twice. One that exists twice is the first of both, unless asked otherwise.
All instants are aware datetimes in UTC. Must never read a clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drillmark.errors import UsageError

_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=1024)
def zone(name: str | None) -> ZoneInfo:
    """The zone of that name; UTC where none is given. Raises UsageError for one that this machine does not know."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f'there is no time zone "{name}"', hint="names are those of the IANA, such as Europe/Berlin"
        ) from error


def local(instant: datetime, tz: ZoneInfo) -> datetime:
    """What the wall clock shows then: a datetime without a zone."""
    return instant.astimezone(tz).replace(tzinfo=None, fold=0)


def instant(wall: datetime, tz: ZoneInfo, *, second: bool = False) -> datetime:
    """When the wall clock shows that; `second`: for the second time, where it does so twice."""
    there = wall.replace(tzinfo=tz, fold=int(second)).astimezone(UTC)
    if local(there, tz) == wall:
        return there
    return _jump(wall, tz)


def is_twice(wall: datetime, tz: ZoneInfo) -> bool:
    """Whether the wall clock shows that twice, as clocks were put back."""
    first, second = (wall.replace(tzinfo=tz, fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second


@lru_cache(maxsize=4096)
def _jump(wall: datetime, tz: ZoneInfo) -> datetime:
    """The instant at which clocks jumped over `wall`, to the second."""
    low = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    high = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    before = low.astimezone(tz).utcoffset()
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(tz).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
