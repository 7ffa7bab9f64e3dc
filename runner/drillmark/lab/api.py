"""Brings a lab up, takes it down, and says how it is. One `up` or `down` at a time for each folder of labs.

Must never remove a directory that is not a lab's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from drillmark import clock, postgres, processes
from drillmark.errors import LabError
from drillmark.lab import control, service_file, state
from drillmark.lab.layout import Layout
from drillmark.lab.remains import end_processes, remove_shared_memory
from drillmark.lab.state import Cluster, LabState, Service
from drillmark.processes import ProcessIdentity

DEFAULT_SCALE_BYTES = 16 * 1024 * 1024
UP_SECONDS = 90.0
LOCK_SECONDS = 120.0
ANSWER_SECONDS = 5.0
DEAF_SECONDS = 15.0  # a busy machine is no reason to replace a supervisor
FIRST_CLUSTER = "main"
_SHORT_PREFIX = "drillmark-"
_SOCKET_PATH_BYTES = 90  # below 104 (macOS) and 108 (Linux), with room
_POLL_SECONDS = 0.05
_BACKUP_BYTES_PER_SECOND = 10e6  # slower than any disk that a lab should be on


def up(directory: Path, *, scale_bytes: int = DEFAULT_SCALE_BYTES, backup_every_seconds: float = 600.0) -> LabState:
    """Bring up the lab in `directory`: make it, start it, or find it well. Returns when it serves.

    A lab that is degraded because a cluster is held is returned as it is. `scale_bytes` counts only when the
    lab is made.

    Raises:
        LabError: it does not come up (its logs are named), or the directory holds something else.
    """
    layout = Layout(Path(os.path.realpath(directory)))
    layout.directory.parent.mkdir(parents=True, exist_ok=True)
    with _alone(layout.directory.parent):
        lab = _read_or_clear(layout)
        if lab is None:
            try:
                lab = _make(layout, scale_bytes, backup_every_seconds)
            except BaseException:
                _take_away(layout)
                raise
        supervisor = lab.supervisor if _is_supervised(lab) else _start_supervisor(lab)
        return _wait_until_up(lab, supervisor)


def down(directory: Path) -> bool:
    """Take the lab away: every process, every file. Returns whether there was one.

    Raises:
        LabError: something of it could not be ended or removed.
    """
    layout = Layout(Path(os.path.realpath(directory)))
    if not layout.directory.parent.is_dir():
        return False
    with _alone(layout.directory.parent):
        if not layout.directory.exists():
            return False
        _take_away(layout)
        return True


def status(directory: Path) -> LabState | None:
    """How the lab is now, or None where there is none. Asks the supervisor; without one, says so.

    Raises:
        LabError: `lab.json` cannot be read.
    """
    layout = Layout(Path(os.path.realpath(directory)))
    lab = state.read(layout)
    if lab is None:
        return None
    if lab.state in {"creating", "stopped"} and lab.supervisor is None:
        lab.detail = lab.detail or "an earlier `lab up` did not end"
        return lab
    try:
        return LabState.from_json(control.call(lab.control, "GET", "/status", timeout_seconds=ANSWER_SECONDS))
    except control.ControlError as error:
        alive = lab.supervisor is not None and processes.is_alive(lab.supervisor)
        lab.state, lab.detail = ("degraded" if alive else "unsupervised"), str(error)
        return lab


def _read_or_clear(layout: Layout) -> LabState | None:
    lab = state.read(layout)
    if lab is not None and lab.clusters:
        return lab
    if lab is not None:
        # An `up` was cut short before the cluster was whole.
        _take_away(layout)
    elif layout.directory.exists() and not _barely_begun(layout):
        raise LabError(
            f"{layout.directory} holds something that is no lab",
            hint="Choose another directory for the lab, or empty this one.",
            code="not-a-lab",
        )
    return None


def _barely_begun(layout: Layout) -> bool:
    """Nothing is there, or only what an `up` left that was cut short while it wrote its very first file; taken away."""
    found = list(layout.directory.iterdir())
    torn = [path for path in found if path.name.startswith("lab.json.") and path.suffix == ".tmp"]
    if len(torn) == len(found):
        for path in torn:
            path.unlink(missing_ok=True)
    return len(torn) == len(found)


def _make(layout: Layout, scale_bytes: int, backup_every_seconds: float) -> LabState:
    from drillmark.lab import create  # noqa: PLC0415 psycopg is heavy, and only making a lab needs it

    layout.directory.mkdir(mode=0o700, exist_ok=True)
    lab = LabState(
        directory=str(layout.directory),
        short_directory=str(_short_directory()),
        scale_bytes=scale_bytes,
        primary=FIRST_CLUSTER,
        service=Service(port=postgres.free_port()),
        backup_every_seconds=backup_every_seconds,
        copy_port=postgres.free_port(),
    )
    # On disk before anything of it exists elsewhere, so that `down` finds everything.
    state.write(lab)
    for folder in layout.folders():
        folder.mkdir(mode=0o700, exist_ok=True)
    postgres.hand_over(layout.directory)
    layout.control_link.symlink_to(lab.short_directory)
    Path(lab.short_directory).mkdir(mode=0o700)
    data_directory = layout.clusters / FIRST_CLUSTER
    create.make_cluster(layout, data_directory, scale_bytes=scale_bytes)
    port = postgres.free_port()
    service_file.point(layout, port)
    lab.clusters[FIRST_CLUSTER] = Cluster(FIRST_CLUSTER, str(data_directory), port)
    state.write(lab)
    return lab


def _short_directory() -> Path:
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 a fresh 0700 folder is made in it
        path = Path(base, f"{_SHORT_PREFIX}{secrets.token_hex(6)}")
        if len(os.fsencode(path)) < _SOCKET_PATH_BYTES - len("/control") and os.access(base, os.W_OK):
            return path
    raise LabError(
        "no folder for temporary files has a path short enough for a Unix socket",
        hint="Let TMPDIR name a writable folder with a short path.",
        code="no-short-path",
    )


def _is_supervised(lab: LabState) -> bool:
    if lab.supervisor is None or not processes.is_alive(lab.supervisor):
        return False
    try:
        control.call(lab.control, "GET", "/status", timeout_seconds=DEAF_SECONDS)
    except control.ControlError:
        # Alive and deaf: another one takes over.
        processes.end(lab.supervisor, group=False, grace_seconds=0)
        return False
    return True


def _start_supervisor(lab: LabState) -> ProcessIdentity:
    Path(lab.short_directory).mkdir(mode=0o700, exist_ok=True)
    return postgres.spawn(
        [sys.executable, "-m", "drillmark.lab.supervisor", lab.directory],
        environment=dict(os.environ),
        log=lab.layout.logs / "supervisor.log",
    )


def _wait_until_up(made: LabState, supervisor: ProcessIdentity | None) -> LabState:
    layout = made.layout
    seconds = UP_SECONDS + made.scale_bytes / _BACKUP_BYTES_PER_SECOND
    deadline = clock.monotonic_ns() + round(seconds * 1e9)
    lab: LabState | None = made
    while clock.monotonic_ns() < deadline:
        lab = status(layout.directory)
        if supervisor is not None and not processes.is_alive(supervisor):
            # It may have left the place to another one that was quicker.
            supervisor = None if lab is not None and lab.state in {"up", "degraded"} else supervisor
            if supervisor is not None:
                break
        if lab is not None and lab.state == "up":
            return lab
        held = lab is not None and any(cluster.held for cluster in lab.clusters.values())
        if lab is not None and lab.state == "degraded" and held and lab.service.state == "running":
            return lab
        time.sleep(_POLL_SECONDS)
    detail = "it is gone" if lab is None else f"{lab.state}: {lab.detail}"
    raise LabError(
        f"the lab did not come up in {seconds:.0f} s: {detail}",
        hint=f"Look into {layout.logs}; `drillmark lab down` takes the lab away.",
        code="lab-not-up",
    )


def _take_away(layout: Layout) -> None:
    lab: LabState | None = None
    with contextlib.suppress(LabError):
        lab = state.read(layout)
    if lab is None and layout.directory.is_dir() and _barely_begun(layout):
        layout.directory.rmdir()
        return
    if lab is None and not (layout.clusters.is_dir() or layout.record.exists()):
        raise LabError(f"{layout.directory} is no lab", hint="Nothing was removed.", code="not-a-lab")
    left = end_processes(layout, lab)
    if left:
        raise LabError(f"processes of the lab do not end: {', '.join(map(str, left))}", code="lab-not-down")
    remove_shared_memory(layout, lab)
    for short in _short_directories(layout, lab):
        shutil.rmtree(short, ignore_errors=True)
    # The record goes last: a `down` that is cut short can be repeated.
    for path in layout.directory.iterdir():
        if path != layout.record:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    layout.record.unlink(missing_ok=True)
    layout.directory.rmdir()


def _short_directories(layout: Layout, lab: LabState | None) -> set[Path]:
    found = set() if lab is None else {Path(lab.short_directory)}
    with contextlib.suppress(OSError):
        found.add(layout.control_link.readlink())
    return {path for path in found if path.name.startswith(_SHORT_PREFIX) and not path.is_symlink()}


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    # The folder itself is locked: a lock file would be left behind.
    descriptor = os.open(folder, os.O_RDONLY)
    deadline = clock.monotonic_ns() + round(LOCK_SECONDS * 1e9)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if clock.monotonic_ns() > deadline:
                    raise LabError(
                        f"another `lab up` or `lab down` has been at work in {folder} for {LOCK_SECONDS:g} s",
                        code="lab-busy",
                    ) from error
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
