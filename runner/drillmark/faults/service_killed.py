"""A service's process is killed at once. Nothing is held: that its supervisor starts it again is what is rehearsed."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from drillmark import clock, processes, site
from drillmark.errors import RecoveryError
from drillmark.faults.deeds import Deed, place
from drillmark.processes import ProcessIdentity
from drillmark.recovery.activity import Configuration, activity

FAULT = "service-killed"
_POLL_SECONDS = 0.1


@activity
def kill_service(pid_file: str | None = None, configuration: Configuration = None) -> dict[str, Any]:
    """`kill -9` for the service's process, and its group where it leads one. Without `pid_file`: the lab's service.

    Raises ActivityFailed where none runs, or it does not end.
    """
    process = _running(pid_file, configuration)
    if process is None:
        raise RecoveryError(f"no service runs{f' by {pid_file}' if pid_file else ''}: there is nothing to kill")
    Deed.begin(FAULT, place(configuration), process=process.as_json())
    with contextlib.suppress(ProcessLookupError):
        kill = os.killpg if os.getpgid(process.pid) == process.pid else os.kill
        kill(process.pid, signal.SIGKILL)
    if not processes.end(process, group=False, grace_seconds=0):
        raise RecoveryError(f"process {process.pid} of the service does not end")
    return {"killed": process.pid}


@activity
def ensure_answering(url: str, timeout_seconds: float = 45.0, configuration: Configuration = None) -> str:
    """The undo: nothing is held, so wait until the service answers at `url`, whatever it says. Or ActivityFailed."""
    if not url.startswith(("http://", "https://")):
        raise RecoveryError(f"not an HTTP address: {url!r}")
    deadline = clock.monotonic_ns() + round(timeout_seconds * 1e9)
    while (problem := _silence(url)) is not None:
        if clock.monotonic_ns() > deadline:
            raise RecoveryError(f"the service does not answer at {url} after {timeout_seconds:g} s: {problem}")
        time.sleep(_POLL_SECONDS)
    deed = Deed.read(FAULT, place(configuration))
    how = "the service answers"
    return deed.end(how) if deed is not None and not deed.undone else how


@activity
def was_killed(configuration: Configuration = None) -> bool:
    """The proof, true until the undo: the process that was killed is gone, whether or not another has begun."""
    deed = Deed.read(FAULT, place(configuration))
    return deed is not None and not deed.undone and not processes.is_alive(ProcessIdentity(**deed.facts["process"]))


def _running(pid_file: str | None, configuration: Configuration) -> ProcessIdentity | None:
    if pid_file:
        try:
            return processes.identify(int(Path(pid_file).read_text(encoding="ascii").split()[0]))
        except (OSError, ValueError, IndexError) as error:
            raise RecoveryError(f"cannot read a pid from {pid_file}: {error}") from error
    control = site.control_of(configuration)
    if not control:
        raise RecoveryError("nobody says which service is meant", hint="give `pid_file`, or start the lab")
    known = site.status(control)["service"]["process"]
    return processes.identify(known["pid"]) if known and processes.is_alive(ProcessIdentity(**known)) else None


def _silence(url: str) -> str | None:
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 the caller checked the scheme
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    return None
