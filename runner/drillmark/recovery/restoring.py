"""One restore from its beginning to its report: choose, verify, copy, replay, each timed apart.

Into a fresh directory, always. After a crash it looks first at what is there: complete, it is used; else discarded.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from drillmark import clock, postgres
from drillmark.errors import RecoveryError
from drillmark.recovery import backups, combining, copying, marker, restore_points, server, verification, wal
from drillmark.recovery.activity import logger
from drillmark.recovery.backups import Backup
from drillmark.recovery.launching import bring_up, launch
from drillmark.recovery.progress import Progress
from drillmark.recovery.target import Target

_LEFT_OUT = frozenset({marker.NAME, backups.MANIFEST, "postmaster.pid", "postmaster.opts"})
_START_SECONDS = 600.0
_CONFIGURATION = ("postgresql.conf", "pg_hba.conf", "pg_ident.conf")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be restored, and where to. See `postgres_pitr.restore` for the meaning of each."""

    backups: Path
    archive: Path
    into: Path
    target: Target
    dsn: str
    jobs: int
    port: int | None = None
    system_identifier: str = ""
    same_host: bool = False
    verify: bool = True
    settings: dict[str, str] = field(default_factory=dict)
    configuration_from: Path | None = None
    approve: Callable[[wal.Log], None] | None = None  # raises RecoveryError where this log must not be used

    @property
    def key(self) -> dict[str, Any]:
        """What makes two requests the same."""
        return {"to": str(self.target), "backups": str(self.backups), "archive": str(self.archive)}


def restore(request: Request) -> dict[str, Any]:
    """Restore, and report. Raises RecoveryError, LabError (a PostgreSQL program failed) or OSError."""
    run = marker.this_run()
    place = marker.place_for(request.into, run, request.key)
    found = marker.read(place)
    if found is not None and found.complete and found.report is not None:
        return _taken_up(place, found.report)
    if place.exists():
        logger.info("discarding %s, which an earlier attempt left incomplete", place)
        marker.discard(place, run)
    progress = Progress.of_environment()
    verify_ns = [clock.monotonic_ns()]
    request = replace(request, target=restore_points.located(request.target, request.archive))
    backup, log = prove(request, progress)
    verify_ns.append(clock.monotonic_ns())
    place.mkdir(mode=0o700, parents=True)
    mark = marker.Marker(run, marker.this_attempt(), request.key, backup.name, clock.boot_id())
    mark.write(place)
    logger.info("restoring %s to %s into %s", backups.describe(backup), request.target, place)
    copied, copy_ns = _copy(request, backup, place, progress)
    replayed, replay_ns = _replay(request, backup, log, place, progress)
    last_wall_ns = replayed.last_transaction_wall_ns
    report = {
        "data_restored_ns": [replayed.last_false_ns, replayed.first_true_ns],
        "verify_ns": verify_ns,
        "copy_ns": copy_ns,
        "replay_ns": replay_ns,
        "bytes": copied,
        "wal_bytes": max(0, replayed.end - backup.start),
        "backup": backup.name,
        "verified": request.verify,
        "last_transaction_wall_ns": last_wall_ns,
        "last_transaction_ns": _monotonic(last_wall_ns) if request.same_host else None,
        "backup_started_wall_ns": backup.started_wall_ns,
        "restored_end_lsn": replayed.end,
        "timeline": replayed.timeline,
        "system_identifier": backup.system_identifier,
        "data_directory": str(place),
        "port": replayed.port,
        "attempt": mark.attempt,
    }
    mark.with_report(report).write(place)
    logger.info("restored to %s on timeline %s", postgres.int_to_lsn(replayed.end), replayed.timeline)
    return {"drillmark": report}


def prove(request: Request, progress: Progress) -> tuple[Backup, wal.Log]:
    """The backup that a restore takes and the log it needs, both looked at. Raises RecoveryError: what is wrong."""
    backup = backups.choose(request.backups, request.archive, request.target)
    if request.verify:
        for each in (*backup.parents, backup):
            verification.verify(each, jobs=request.jobs, progress=progress)
    archive = wal.Archive.read(request.archive)
    _check_system(backup, "the system", request.system_identifier)
    until = request.target.position
    try:
        log = wal.log_from(
            archive, backup.start, backup.timeline, end=backup.end, until=until, own=backup.directory / "pg_wal"
        )
    except RecoveryError:
        # Of another system's log a part is always missing: whose it is says more.
        whose = ""
        with contextlib.suppress(RecoveryError, OSError):
            whose = archive.system_identifier()
        _check_system(backup, "the archived log", whose)
        raise
    if request.approve is not None:
        request.approve(log)
    _check_system(backup, "the archived log", log.system_identifier)
    return backup, log


def _check_system(backup: Backup, what: str, identifier: str | None) -> None:
    if identifier and identifier != backup.system_identifier:
        raise RecoveryError(
            f"backup {backup.directory} is of another system: its identifier is {backup.system_identifier},"
            f" and that of {what} is {identifier}"
        )


def _copy(request: Request, backup: Backup, place: Path, progress: Progress) -> tuple[int, list[int]]:
    begun_ns = clock.monotonic_ns()
    if backup.parents:
        copied = combining.combine(backup, place, leave_out=_LEFT_OUT, progress=progress)
    else:
        copied = copying.copy_tree(backup.directory, place, leave_out=_LEFT_OUT, jobs=request.jobs, progress=progress)
    if request.configuration_from is not None:
        for name in _CONFIGURATION:
            if not (place / name).exists() and (request.configuration_from / name).exists():
                shutil.copyfile(request.configuration_from / name, place / name)
    if not (place / "postgresql.conf").exists():
        raise RecoveryError(
            f"backup {backup.directory} holds no postgresql.conf: this server keeps its settings elsewhere",
            hint="`configuration_from` names the directory that holds postgresql.conf and pg_hba.conf",
        )
    server.prepare(place, request.archive, request.target, request.settings)
    postgres.hand_over(place)
    return copied, [begun_ns, clock.monotonic_ns()]


def _replay(
    request: Request, backup: Backup, log: wal.Log, place: Path, progress: Progress
) -> tuple[server.Replayed, list[int]]:
    begun_ns = clock.monotonic_ns()
    progress.begin("replay", (request.target.position or log.end) - backup.start)
    messages = place.with_name(place.name + ".log")
    begun = launch(place, port=request.port or postgres.free_port(), log=messages)
    replayed = server.replay(place, begun, request.dsn, messages, backup.start, progress)
    progress.end()
    return replayed, [begun_ns, replayed.first_true_ns]


def _taken_up(place: Path, report: dict[str, Any]) -> dict[str, Any]:
    logger.info("%s is complete already: it is used", place)
    if postgres.postmaster(place) is None:
        log = place.with_name(place.name + ".log")
        bring_up(place, port=int(report["port"]), log=log, timeout_seconds=_START_SECONDS)
    return {"drillmark": report}


def _monotonic(wall_ns: int | None) -> int | None:
    """A wall-clock instant of this host on its monotonic clock, by the offset of now; None before this boot."""
    if wall_ns is None:
        return None
    now = clock.now()
    at_ns = wall_ns - (now.wall_ns - now.monotonic_ns)
    return at_ns if at_ns >= 0 else None
