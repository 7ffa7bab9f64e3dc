"""What can be learned of a cluster from outside: its processes, its control data, its state, positions.

Reads only. Must never take a pid from a file for a living server without looking at that process.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
from pathlib import Path

import psutil

from drillmark.errors import LabError
from drillmark.postgres.binaries import binary, run
from drillmark.processes import ProcessIdentity, identify

_PORTS = range(15_000, 31_000)  # below the ports that the kernel gives to outgoing connections
_STATE_LINE = 7
_SHARED_MEMORY_LINE = 6


def control_data(data_directory: Path) -> dict[str, str]:
    """What `pg_controldata` says, name to value, both as printed ("Database system identifier", ...).

    Raises:
        LabError: there is no readable control file.
    """
    done = run([binary("pg_controldata"), "-D", data_directory], timeout_seconds=20)
    pairs = (line.partition(":") for line in done.stdout.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def postmaster(data_directory: Path) -> ProcessIdentity | None:
    """The living postmaster that works in this directory, or None.

    The pid comes from `postmaster.pid`; the process must be in that very directory to count.
    """
    lines = _pid_file(data_directory)
    with contextlib.suppress(ValueError, IndexError, OSError):
        pid = int(lines[0])
        process = identify(pid)
        if process is not None and _works_in(pid, _identity(data_directory), ()):
            return process
    return None


def postmaster_state(data_directory: Path) -> str:
    """What the living postmaster last wrote of itself, or `""`: `starting`, `ready`, `standby`, `stopping`."""
    lines = _pid_file(data_directory)
    if postmaster(data_directory) is None:
        return ""  # a killed server's file goes on saying `ready`
    return lines[_STATE_LINE].strip() if len(lines) > _STATE_LINE else ""


def shared_memory_id(data_directory: Path) -> int | None:
    """The id of the System V segment that guards this directory, as the last postmaster wrote it, or None."""
    lines = _pid_file(data_directory)
    with contextlib.suppress(ValueError, IndexError):
        return int(lines[_SHARED_MEMORY_LINE].split()[1])
    return None


def server_processes(data_directory: Path) -> list[ProcessIdentity]:
    """Every living postgres process of the cluster that is, or was, in this directory; the postmaster first.

    Found by the directory in which they work, so also after it was moved or deleted: a server follows its
    directory. Of a cluster that was moved and whose postmaster is dead, name the place it was moved to.
    """
    place = _identity(data_directory)
    names = {str(data_directory), os.path.realpath(data_directory)}
    servers = [process for process in psutil.process_iter() if _is_postgres(process)]
    found = {p.pid for p in servers if _works_in(p.pid, place, names) or _started_for(p, names)}
    # Orphans and backends of a directory that moved work where the ones found work.
    places = {identity for pid in found if (identity := _data_directory_identity(pid)) is not None}
    found |= {p.pid for p in servers if _working_identity(p.pid) in places}
    heads = {p.pid: _started_for(p, names) for p in servers}
    identities = [identify(pid) for pid in sorted(found, key=lambda pid: (not heads.get(pid, False), pid))]
    return [identity for identity in identities if identity is not None]


def lsn_to_int(text: str) -> int:
    """A log position `1A/2B3C4D5E` as an integer (bytes since the log's beginning). Raises ValueError."""
    high, slash, low = text.strip().partition("/")
    if not slash:
        raise ValueError(f"not a log position: {text!r}")
    return (int(high, 16) << 32) | int(low, 16)


def int_to_lsn(position: int) -> str:
    """The inverse of `lsn_to_int`."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def free_port() -> int:
    """A TCP port of the loopback that nobody has bound now, outside the range of outgoing connections."""
    chooser = random.SystemRandom()
    for _ in range(200):
        port = chooser.choice(_PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt, contextlib.suppress(OSError):
            attempt.bind(("127.0.0.1", port))
            return port
    raise LabError("no free TCP port on 127.0.0.1", code="no-port")


def _pid_file(data_directory: Path) -> list[str]:
    try:
        return (data_directory / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _is_postgres(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name() == "postgres"
    return False


def _started_for(process: psutil.Process, names: set[str]) -> bool:
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        return any(word == "-D" and words[i + 1] in names for i, word in enumerate(words[:-1]))
    return False


def _works_in(pid: int, place: tuple[int, int] | None, names: set[str] | tuple[str, ...]) -> bool:
    if place is not None:
        return _working_identity(pid) == place
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).cwd().removesuffix(" (deleted)") in names
    return False


def _identity(path: Path | str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 a /proc link is followed even where its target has no name
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _data_directory_identity(pid: int) -> tuple[int, int] | None:
    # A server that is just starting still works where its starter did: that is no data directory.
    with contextlib.suppress(OSError, psutil.Error):
        link = Path(f"/proc/{pid}/cwd")
        if not Path("/proc/self/cwd").exists():
            link = Path(psutil.Process(pid).cwd())
        elif link.readlink().name.endswith(" (deleted)"):
            return _working_identity(pid)
        if (link / "PG_VERSION").exists():
            return _working_identity(pid)
    return None


def _working_identity(pid: int) -> tuple[int, int] | None:
    link = f"/proc/{pid}/cwd"
    if Path("/proc/self/cwd").exists():
        return _identity(link)
    with contextlib.suppress(psutil.Error):
        return _identity(psutil.Process(pid).cwd())
    return None
