"""Starts a server that is nobody's child here: it outlives its starter, and leaves no zombie when it is killed.

A zombie would matter: PostgreSQL takes the pid in `postmaster.pid` for a living server as long as it exists, and a
supervisor could then not start the killed server again while the process that restored it lives.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from drillmark import clock, postgres
from drillmark.errors import RecoveryError
from drillmark.processes import ProcessIdentity, identify, is_alive

# The shell ends at once, and its child goes to init.
_DETACHED = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
# What killed servers leave (a pid not waited for, shared memory) goes within moments; until then PostgreSQL refuses.
_PERSISTS_SECONDS = 10.0
_POLL_SECONDS = 0.1


def launch(directory: Path, *, port: int | None, log: Path) -> ProcessIdentity:
    """Start the server of a data directory, and wait for nothing.

    Args:
        directory: the data directory.
        port: a port that goes before the one in its files, or None.
        log: its messages are appended there (0600).

    Raises:
        RecoveryError: it cannot be started.
    """
    argv: list[str | Path] = [postgres.binary("postgres"), "-D", directory]
    argv += ["-c", f"port={port}"] if port else []
    try:
        log.touch(mode=0o600)
        done = subprocess.run(
            ["/bin/sh", "-c", _DETACHED, "sh", log, *postgres.command(argv)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            start_new_session=True,
            env=postgres.clean_environment(),
            timeout=30,
        )
        pid = int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise RecoveryError(f"cannot start PostgreSQL in {directory}: {error}") from error
    return identify(pid) or ProcessIdentity(pid, "")


def bring_up(directory: Path, *, port: int | None, log: Path, timeout_seconds: float) -> None:
    """Start the server of a data directory that was stopped or killed, and wait until it takes connections.

    Raises:
        RecoveryError: it ends again and again, or is not ready in time; with its own words.
    """
    begun_ns = clock.monotonic_ns()
    server = postgres.postmaster(directory)
    while server is None or postgres.postmaster_state(directory) != "ready" or postgres.postmaster(directory) is None:
        waited_seconds = (clock.monotonic_ns() - begun_ns) / 1e9
        dead = server is None or not is_alive(server)
        if waited_seconds > (min(_PERSISTS_SECONDS, timeout_seconds) if dead and server else timeout_seconds):
            raise RecoveryError(f"the server in {directory} does not come up: {last_words(log)}")
        if dead:
            server = launch(directory, port=port, log=log)
        time.sleep(_POLL_SECONDS)


def last_words(log: Path) -> str:
    """Why a server ended, as its log says it."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    fatal = [number for number, line in enumerate(lines) if "FATAL:" in line or "PANIC:" in line]
    if not fatal:
        return f"see {log}"
    # The line before may hold the reason (a setting that is wrong), the one after the hint.
    around = lines[max(0, fatal[-1] - 1) : fatal[-1] + 2]
    return " | ".join(line.strip() for line in around)
