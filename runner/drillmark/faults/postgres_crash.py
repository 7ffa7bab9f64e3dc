"""A PostgreSQL server crashes: every process of it is killed at once, as by the kernel out of memory.

Nothing is held: whoever supervises it shall start it again, and its crash recovery is what is rehearsed.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from drillmark import postgres, processes, site
from drillmark.errors import RecoveryError
from drillmark.faults.deeds import Deed
from drillmark.recovery.activity import Configuration, activity, logger
from drillmark.recovery.launching import bring_up

FAULT = "postgres-crashed"


@activity
def kill_server(data_directory: str | None = None, configuration: Configuration = None) -> dict[str, Any]:
    """`kill -9` for the postmaster and all its processes. Without `data_directory`: the lab's serving cluster.

    Raises ActivityFailed where no server runs, or its processes do not end.
    """
    server = site.find(configuration, data_directory=data_directory)
    head = postgres.postmaster(server.data_directory)
    if head is None:
        raise RecoveryError(f"no server runs in {server.data_directory}: there is nothing to kill")
    Deed.begin(FAULT, server, head=head.as_json())
    before = postgres.server_processes(server.data_directory)
    for process in before:
        # The postmaster is the first of them: what dies after it is not replaced.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    if not all(processes.end(process, group=False, grace_seconds=0) for process in before):
        raise RecoveryError(f"server processes of {server.name} do not end")
    logger.info("killed %d server processes of %s", len(before), server.name)
    return {"cluster": server.name, "killed": len(before)}


@activity
def ensure_running(
    data_directory: str | None = None, timeout_seconds: float = 60.0, configuration: Configuration = None
) -> str:
    """The undo: whatever was held is released, and the cluster that serves takes connections.

    Raises ActivityFailed when it does not in time.
    """
    server = site.find(configuration, data_directory=data_directory)
    for name in site.held(server.control) if server.control else ():
        site.find(configuration, cluster=name).release()
    if not server.control:
        log = server.data_directory.with_name(f"{server.name}.log")
        bring_up(server.data_directory, port=None, log=log, timeout_seconds=timeout_seconds)
    server.wait_until_ready(timeout_seconds)
    deed = Deed.read(FAULT, server)
    how = f"{server.name} takes connections"
    return deed.end(how) if deed is not None and not deed.undone else how


@activity
def was_restarted(data_directory: str | None = None, configuration: Configuration = None) -> bool:
    """The proof, true until the undo: the postmaster that was killed is gone, whether or not another has begun."""
    deed = Deed.read(FAULT, site.find(configuration, data_directory=data_directory))
    if deed is None or deed.undone:
        return False
    head = postgres.postmaster(deed.site.data_directory)
    return head is None or head.as_json() != deed.facts["head"]
