"""`drillmark join`: this process becomes a worker of a drill's load that runs on another machine."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from drillmark.cli.run import Duration
from drillmark.errors import UsageError

_MASTER = re.compile(r"([A-Za-z0-9.-]{1,253}):([0-9]{1,5})")
_LAST_PORT = 65535


@click.command()
@click.argument("master", metavar="HOST:PORT")
@click.argument("locustfile", type=click.Path(exists=True, dir_okay=False))
@click.option("--wait", type=Duration(), default="10m", show_default=True, help="How long to wait for the master.")
def command(master: str, locustfile: str, *, wait: float) -> None:
    """Load from this machine, as a worker of a drill elsewhere.

    HOST:PORT is what `load.master` of the drill says, LOCUSTFILE the same file as there. Start one for each core.
    It ends with the run, with its master, and at the run's deadline.
    """
    found = _MASTER.fullmatch(master)
    if found is None or not 0 < int(found[2]) <= _LAST_PORT:
        raise UsageError(f"not an address of a master: {master}", hint="write HOST:PORT, such as 10.0.0.5:5557")
    sys.stdout.flush()
    path = str(Path(locustfile).resolve())
    # Locust's gevent must patch the standard library before anything else is imported: a fresh interpreter.
    os.execv(  # noqa: S606  # the same process: whoever ends this command ends the worker
        sys.executable,
        [sys.executable, "-m", "drillmark.workload.elsewhere", found[1], found[2], path, f"{wait:g}"],
    )
