"""What master and workers of one load say to each other, beside Locust's own messages. Names and limits only."""

from __future__ import annotations

HELLO = "drillmark_hello"  # worker: its index (0: not given one), host, process
WELCOME = "drillmark_welcome"  # master: the worker's index, seconds until the run's deadline
FIRST = "drillmark_first"  # worker: its first request is recorded
BYTES = "drillmark_bytes"  # worker elsewhere: the next bytes of one of its sample files
PING = "drillmark_ping"  # master: its monotonic clock, every second
PONG = "drillmark_pong"  # worker: the same, with its own clock beside it
END = "drillmark_end"  # master: stop the users and close the files
DONE = "drillmark_done"  # worker: it has; with an error where it ended by itself

# What a worker elsewhere may send at once, and in all.
CHUNK_BYTES = 1 << 20
FILE_LIMIT_BYTES = 1 << 36
# A worker whose master is silent for so long ends: nobody records any more.
MASTER_SILENT_SECONDS = 20.0
# How long what was sent may hold up the end of a process.
LINGER_MILLISECONDS = 1000

FILES = ("load", "load-users")


def file_name(kind: str, worker: int) -> str:
    """The sample file of one worker, without suffix: `load-2`, `load-users-2`."""
    return f"{kind}-{worker}"
