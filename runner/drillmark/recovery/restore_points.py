"""Named restore points: where in the archived log one stands. Reads only, by `pg_waldump`.

Of several points with one name the newest counts. Must never take one for another: what stands on a timeline that was
left before it is no way to go back to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from drillmark import postgres
from drillmark.errors import DrillmarkError, RecoveryError
from drillmark.recovery import wal
from drillmark.recovery.target import Target

_POINT = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+), prev .*? desc: RESTORE_POINT (.*)$", re.MULTILINE)
_TIMEOUT_SECONDS = 3600.0


def located(target: Target, archive: Path) -> Target:
    """The target with the position of its restore point, where it names one. Raises RecoveryError: there is none."""
    if not target.name or target.position is not None:
        return target
    log = wal.Archive.read(archive)
    found = [(timeline, position) for timeline, position, name in _points(log) if name == target.name]
    # A timeline's first segment repeats the end of the one that it left: the older timeline's word is the same.
    for timeline, position in reversed(found):
        left_at = log.way_from(timeline)[0].end
        if left_at is None or position < left_at:
            return replace(target, position=position)
    if found:
        raise RecoveryError(
            f"restore point {target.name} stands on timeline {found[-1][0]}, which was left before it",
            hint="no way leads there from the newest timeline; restore to a time or a position",
        )
    raise RecoveryError(
        f"there is no restore point {target.name} in the log that {archive} holds",
        hint="make one by pg_create_restore_point, and let its segment be archived before it is needed",
    )


def _points(log: wal.Archive) -> Iterator[tuple[int, int, str]]:
    """Timeline, position and name of each restore point, in order."""
    for first, last in _stretches(log):
        # It ends with an error where the last record goes on in a segment that is not there: what it printed counts.
        argv: list[str | Path] = [postgres.binary("pg_waldump"), "--rmgr=XLOG", first, last]
        try:
            done = postgres.run(argv, timeout_seconds=_TIMEOUT_SECONDS, check=False)
        except DrillmarkError as error:
            raise RecoveryError(f"the archived log cannot be searched for restore points: {error}") from error
        for position, name in _POINT.findall(done.stdout):
            yield int(first.name[:8], 16), postgres.lsn_to_int(position), name


def _stretches(log: wal.Archive) -> Iterator[tuple[Path, Path]]:
    """First and last of each unbroken row of segments of one timeline."""
    names = log.segments
    if not names:
        return
    size = wal.read_header(log.directory / names[0]).segment_size
    first = previous = names[0]
    for name in names[1:]:
        number = wal.segment_number(previous, size)
        if name[:8] != previous[:8] or wal.segment_number(name, size) != number + 1:
            yield log.directory / first, log.directory / previous
            first = name
        previous = name
    yield log.directory / first, log.directory / previous
