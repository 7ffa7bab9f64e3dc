"""PostgreSQL as programs and processes: which binaries, run as whom, started, stopped, found again.

Shared by the lab and by recovery. Must never speak SQL, and never touch a process or a directory that the
caller did not name.
"""

from drillmark.postgres.binaries import binary, clean_environment, command, hand_over, run
from drillmark.postgres.cluster import (
    control_data,
    free_port,
    int_to_lsn,
    lsn_to_int,
    postmaster,
    postmaster_state,
    server_processes,
)
from drillmark.postgres.server import begin, spawn, start, stop

__all__ = [
    "begin",
    "binary",
    "clean_environment",
    "command",
    "control_data",
    "free_port",
    "hand_over",
    "int_to_lsn",
    "lsn_to_int",
    "postmaster",
    "postmaster_state",
    "run",
    "server_processes",
    "spawn",
    "start",
    "stop",
]
