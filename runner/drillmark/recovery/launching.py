"""Starts a server that is nobody's child here: it outlives its starter, and leaves no zombie when it is killed.

A zombie would matter: PostgreSQL takes the pid in `postmaster.pid` for a living server as long as it exists, and a
supervisor could then not start the killed server again while the process that restored it lives.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from drillmark import postgres
from drillmark.errors import RecoveryError
from drillmark.processes import ProcessIdentity, identify

# The shell ends at once, and its child goes to init.
_DETACHED = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'


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
