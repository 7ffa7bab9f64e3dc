"""How recent a restore would be, said without restoring.

An understatement is right here, an overstatement is not: the point told is one that a restore reaches surely.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from drillmark import clock, postgres
from drillmark.errors import DrillmarkError, RecoveryError
from drillmark.recovery.activity import seconds
from drillmark.recovery.backups import Backup
from drillmark.recovery.target import iso
from drillmark.recovery.wal import Log

_COMMIT = re.compile(r"desc: (?:COMMIT|COMMIT_PREPARED|ABORT) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6}) UTC")
_LOOK_BACK = 3


def last_restorable(backup: Backup, log: Log) -> int:
    """Wall-clock nanoseconds up to which all that was committed comes back from this backup and log.

    The newest of: when the backup was begun, and the last commit that the archived log holds. On a store in which
    nothing is written the point therefore stays where it is until the next backup.
    """
    for path in reversed(log.files[-_LOOK_BACK:]):
        committed = _last_commit(path)
        if committed is not None:
            return max(committed, backup.started_wall_ns)
    return backup.started_wall_ns


def need_recent(what: str, reached_ns: int, within: str | float, hint: str) -> float:
    """The age in seconds of what is told with its wall-clock instant. Raises RecoveryError: it is above `within`."""
    age_seconds = max(0.0, (clock.now().wall_ns - reached_ns) / 1e9)
    if age_seconds > seconds(within):
        raise RecoveryError(f"{what}, {iso(reached_ns)}, is {age_seconds:.0f} s old; {within} is allowed", hint=hint)
    return age_seconds


def _last_commit(path: Path) -> int | None:
    try:
        # It ends with an error where the last record goes on in the next segment: what it printed counts.
        argv: list[str | Path] = [postgres.binary("pg_waldump"), "--rmgr=Transaction", path]
        done = postgres.run(argv, timeout_seconds=120, check=False)
    except DrillmarkError:
        return None
    found = _COMMIT.findall(done.stdout)
    if not found:
        return None
    moment = datetime.strptime(found[-1], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000
