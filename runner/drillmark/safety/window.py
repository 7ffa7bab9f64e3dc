"""Whether the window of a plan is open. Pure: the moment is handed in, and how windows are read is the calendar's."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from drillmark.model.plan import PlannedWindow


def is_open(window: PlannedWindow, now: datetime) -> bool:
    """Whether a run may begin at `now`. A window over midnight belongs to the day on which it opens."""
    # Whoever has no window does not wait for the calendar.
    from drillmark.calendar import windows  # noqa: PLC0415
    from drillmark.define.schedule import Window  # noqa: PLC0415

    written = {"days": window.days} if window.days else {}
    declared = Window.model_validate(written | {"from": window.opens, "to": window.closes})
    return windows.is_open(declared, now, ZoneInfo(window.time_zone))


def words(window: PlannedWindow) -> str:
    """The window as people say it."""
    days = "every day" if window.days is None else window.days
    return f"{days} {window.opens} to {window.closes} ({window.time_zone})"
