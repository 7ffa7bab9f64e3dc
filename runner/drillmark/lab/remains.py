"""Ends whatever is left of a lab, also of one that is half made, half dead, or has lost its record.

Must never end a process that does not name this lab's directory, or work in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil

from drillmark import clock, processes
from drillmark.lab.layout import Layout
from drillmark.lab.state import LabState
from drillmark.postgres import cluster as pg_cluster
from drillmark.postgres import server as pg_server
from drillmark.processes import ProcessIdentity

_MODULES = {"drillmark.lab.supervisor", "drillmark.lab.service"}
_ARCHIVER = "archive_wal.py"
_PROGRAMS = {"postgres", "initdb", "pg_basebackup", "pg_ctl"}
_WRAPPERS = {"unshare", "setpriv"}  # what a program is until it execs, as root
_SEGMENT_BYTES = 4096  # the segment only guards the directory: its size is 56
_GRACE_SECONDS = 0.5
_END_SECONDS = 15.0


def end_processes(layout: Layout, lab: LabState | None) -> list[int]:
    """End every process of the lab, the supervisor first. Returns the pids that would not end."""
    known = [] if lab is None else [p for c in lab.clusters.values() if (p := c.process) is not None]
    supervisors = _of_module(layout, {"drillmark.lab.supervisor"})
    if lab is not None and lab.supervisor is not None:
        supervisors.append(lab.supervisor)
    for supervisor in supervisors:
        # All is removed anyway: a clean stop of the servers would only take time.
        _kill([supervisor], signal.SIGKILL)
    deadline = clock.monotonic_ns() + round(_END_SECONDS * 1e9)
    gentle_until = clock.monotonic_ns() + round(_GRACE_SECONDS * 1e9)
    while True:
        alive = [process for process in known if processes.is_alive(process)]
        left = {*alive, *_of_module(layout, _MODULES), *_postgres_programs(layout)}
        if not left:
            for process in (*supervisors, *known):
                pg_server.reap(process)
            return []
        gentle = clock.monotonic_ns() < gentle_until
        _kill(list(left), signal.SIGQUIT if gentle else signal.SIGKILL)
        for process in left:
            pg_server.reap(process)
        if clock.monotonic_ns() > deadline:
            return sorted(process.pid for process in left)
        time.sleep(0.05)


def remove_shared_memory(layout: Layout, lab: LabState | None) -> None:
    """Remove the System V segments that killed servers left. One that is in use is left alone by the kernel."""
    ids = set() if lab is None else {i for c in lab.clusters.values() for i in c.shared_memory_ids}
    owners = {os.geteuid()}
    for path in layout.directory.glob("*/*/PG_VERSION"):
        owners.add(path.parent.stat().st_uid)  # where PostgreSQL runs as another user
        found = pg_cluster.shared_memory_id(path.parent)
        if found is not None:
            ids.add(found)
    remover = shutil.which("ipcrm")
    for segment in sorted(ids):
        if remover is not None and _is_unused(segment, owners):
            subprocess.run([remover, "-m", str(segment)], capture_output=True, check=False, timeout=10)


def _is_unused(segment: int, owners: set[int]) -> bool:
    # Ids are used again: only a segment of PostgreSQL's size, ours and attached by nobody, is taken for ours.
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if int(fields[1]) == segment:
                return int(fields[6]) == 0 and int(fields[3]) <= _SEGMENT_BYTES and int(fields[7]) in owners
    return False


def _of_module(layout: Layout, modules: set[str]) -> list[ProcessIdentity]:
    found: list[ProcessIdentity] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if words[-1:] == [str(layout.directory)] and words[-3:-2] == ["-m"] and words[-2] in modules:
                _append(found, process.pid)
    return found


def _postgres_programs(layout: Layout) -> list[ProcessIdentity]:
    inside = f"{layout.directory}/"
    found: list[ProcessIdentity] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            name, words = process.name(), process.cmdline()
            if name in _PROGRAMS:
                ours = f"{process.cwd()}/".startswith(inside) or any(word.startswith(inside) for word in words)
            else:
                ours = name in _WRAPPERS and any(word.startswith(inside) for word in words)
                # The archive command, a shell and its script, outlives a killed server for a moment.
                ours = ours or (_ARCHIVER in " ".join(words) and inside in " ".join(words))
            if ours:
                _append(found, process.pid)
    return found


def _append(found: list[ProcessIdentity], pid: int) -> None:
    identity = processes.identify(pid)
    if identity is not None:
        found.append(identity)


def _kill(targets: list[ProcessIdentity], number: signal.Signals) -> None:
    for process in targets:
        if processes.is_alive(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
