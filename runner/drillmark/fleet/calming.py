"""How often DBOS asks its database for what Drillmark does not use, or not in a hurry.

Left alone it asks every second, in each worker, for delayed workflows, for time-outs, and for what schedules put into
its internal queue: a third of what an idle worker costs. DBOS has no setting for these, so its own names are set; where
a later DBOS has them no more it works as it comes, and a test says so. Must never touch how a drill gets to its worker.
"""

from __future__ import annotations

from dbos import _scheduler, _workflow_commands
from dbos._dbos import _get_or_create_dbos_registry  # pyright: ignore[reportPrivateUsage]

# No workflow here is delayed, and none has a time-out.
BACKGROUND_SECONDS = 60.0
# The heartbeat comes through it, which looks a minute ahead.
INTERNAL_QUEUE_SECONDS = 3.0
# How long it looks for new schedules every second; there is one, made at once.
STARTUP_SECONDS = 10.0
BACKGROUND, POLLING, STARTUP = (
    "_BACKGROUND_JOBS_INTERVAL_SEC",
    "_polling_interval_sec",
    "_STARTUP_FAST_POLL_DURATION_SEC",
)


def calm() -> list[str]:
    """Set them, for this process, between making DBOS and launching it; returns the names that are not there."""
    wanted = (
        (_workflow_commands, BACKGROUND, BACKGROUND_SECONDS),
        (_get_or_create_dbos_registry().get_internal_queue(), POLLING, INTERNAL_QUEUE_SECONDS),
        (_scheduler, STARTUP, STARTUP_SECONDS),
    )
    absent: list[str] = []
    for owner, name, seconds in wanted:
        if hasattr(owner, name):
            setattr(owner, name, seconds)
        else:
            absent.append(name)
    return absent
