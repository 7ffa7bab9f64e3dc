"""Fences the old primary: after this it serves nobody, acknowledges nothing, and nobody starts it again.

Must never touch the cluster that this run restored.
"""

from __future__ import annotations

from typing import Any

from drillmark import postgres
from drillmark.errors import RecoveryError
from drillmark.recovery import marker
from drillmark.recovery.activity import logger
from drillmark.site import Site


def fence(site: Site, *, clean: bool, timeout_seconds: float) -> dict[str, Any]:
    """Hold the supervisor, end every server process, and check that none is left and the port refuses.

    Args:
        site: the old primary.
        clean: stop it cleanly first, so that its last log is archived; what does not end is killed.
        timeout_seconds: how long the clean stop may take.

    Raises RecoveryError where anything of it is left, LabError where the supervisor does not answer.
    """
    mark = marker.read(site.data_directory)
    if mark is not None and marker.this_run() is not None and mark.run == marker.this_run():
        logger.info("%s, which this run restored, serves already: the old primary is fenced", site.name)
        return {"fenced": site.name, "already": True, "ended": 0, "clean": True}
    site.hold()
    before = postgres.server_processes(site.data_directory)
    ended_cleanly = not before or (
        clean and postgres.stop(site.data_directory, "fast", timeout_seconds=timeout_seconds)
    )
    if not postgres.stop(site.data_directory, "kill"):
        left = ", ".join(str(process.pid) for process in postgres.server_processes(site.data_directory))
        raise RecoveryError(f"server processes of {site.name} do not end: {left}")
    if site.port and site.port_answers():
        raise RecoveryError(
            f"port {site.port} of {site.name} still answers though none of its processes is left",
            hint="another server has taken the port; writes sent there are not under our control",
        )
    logger.info("fenced %s: %d server processes ended", site.name, len(before))
    return {"fenced": site.name, "already": not before, "ended": len(before), "clean": ended_cleanly}
