"""Base backups of the lab: taken, and in time taken away.

A backup counts only when its folder's name has no dot before it: then it is whole, and PostgreSQL has
archived all WAL that it needs. Must never take away WAL that a kept backup needs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from drillmark import clock, files, postgres
from drillmark.errors import LabError
from drillmark.lab.layout import ADMIN_SERVICE, Layout
from drillmark.lab.state import Cluster

KEEP_BACKUPS = 3
KEEP_OLD_CLUSTERS = 2
TIMEOUT_SECONDS = 300.0
_DRAFT_SECONDS = 600.0
_START_FILE = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)", re.MULTILINE)
_SEGMENT = re.compile(r"^[0-9A-F]{8}([0-9A-F]{16})(\.[0-9A-F]{8}\.backup|\.partial)?$")


@dataclass(frozen=True, slots=True)
class Backup:
    """A complete base backup. `size_bytes` is of its files; `seconds` is how long it took."""

    name: str
    size_bytes: int
    seconds: float


def names(layout: Layout) -> list[str]:
    """The complete backups, oldest first."""
    if not layout.backups.is_dir():
        return []
    return sorted(path.name for path in layout.backups.iterdir() if path.is_dir() and path.name[0] != ".")


def take(layout: Layout, cluster: Cluster) -> Backup:
    """Take a base backup of a running cluster and give it its name once it is complete.

    Raises:
        LabError: pg_basebackup failed, or its WAL was not archived in time.
    """
    began = clock.monotonic_ns()
    for leftover in layout.backups.glob(".*"):
        shutil.rmtree(leftover)
    draft = layout.backups / f".new-{os.getpid()}"
    # The port is named here: a switch-over meanwhile must not lead this backup elsewhere.
    conninfo = f"service={ADMIN_SERVICE} port={cluster.port} dbname=replication application_name=lab-backup"
    try:
        done = postgres.run(
            [
                postgres.binary("pg_basebackup"),
                *("--pgdata", draft, "--format", "plain", "--checkpoint", "fast", "--wal-method", "none"),
                *("--manifest-checksums", "SHA256", "--no-password", "--dbname", conninfo),
                *_sync_options(),
            ],
            timeout_seconds=TIMEOUT_SECONDS,
            environment={"PGSERVICEFILE": str(layout.service_file), "PGPASSFILE": str(layout.password_file)},
        )
        if "archiving is not enabled" in done.stderr:
            raise LabError(f"cluster {cluster.name} archives nothing: its backup would lack WAL", code="no-archive")
        final = _name(layout)
        draft.rename(layout.backups / final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    files.sync_directory(layout.backups)
    size = sum(p.stat().st_size for p in (layout.backups / final).rglob("*") if p.is_file())
    return Backup(final, size, round((clock.monotonic_ns() - began) / 1e9, 3))


def retain(layout: Layout) -> None:
    """Keep the newest backups, and the WAL from the oldest of them on."""
    for name in names(layout)[:-KEEP_BACKUPS]:
        # First out of sight, so that half a backup is never taken for one.
        doomed = layout.backups / f".old-{name}"
        (layout.backups / name).rename(doomed)
        shutil.rmtree(doomed)
    # The least of all that are kept: a cluster made anew counts its WAL from the beginning.
    starts = [_first_segment(layout.backups / name) for name in names(layout)]
    if not starts:
        return
    for path in layout.archive.iterdir():
        # As pg_archivecleanup: the timeline is not compared, and history files stay.
        segment = _SEGMENT.match(path.name)
        if segment is not None and segment[1] < min(starts):
            path.unlink(missing_ok=True)
        elif path.name.startswith(".") and _age_seconds(path) > _DRAFT_SECONDS:
            # A copy that was cut short; PostgreSQL has archived the file again since.
            path.unlink(missing_ok=True)


def old_clusters(layout: Layout, in_use: set[Path]) -> list[Path]:
    """Data directories of earlier recoveries, and aside, that may go: all but those in use and the newest ones.

    `in_use` holds resolved paths. Removes nothing.
    """
    places = (place for folder in (layout.clusters, layout.aside) if folder.is_dir() for place in folder.iterdir())
    old = [place for place in places if place.is_dir() and place.resolve() not in in_use]
    old.sort(key=lambda path: path.stat().st_mtime)
    return old[:-KEEP_OLD_CLUSTERS]


def remove_cluster(path: Path) -> None:
    """Stop whatever works in a data directory, and remove it with its log. Raises LabError if it does not stop."""
    if not postgres.stop(path, "immediate", timeout_seconds=5) and not postgres.stop(path, "kill", timeout_seconds=5):
        raise LabError(f"the old cluster in {path} does not stop", code="cluster-not-stopped")
    shutil.rmtree(path)
    path.with_name(f"{path.name}.log").unlink(missing_ok=True)


@cache
def _sync_options() -> tuple[str, ...]:
    # One sync of the file system instead of one for each of 1,500 files: a third of the time on a busy disk.
    said = postgres.run([postgres.binary("pg_basebackup"), "--help"], timeout_seconds=20).stdout
    return ("--sync-method", "syncfs") if sys.platform == "linux" and "--sync-method" in said else ()


def _first_segment(backup: Path) -> str:
    found = _START_FILE.search((backup / "backup_label").read_text(encoding="utf-8"))
    if found is None:
        raise LabError(f"backup {backup.name} does not say where its WAL begins", code="backup-broken")
    return found[1][8:]


def _age_seconds(path: Path) -> float:
    try:
        return clock.now().wall_ns / 1e9 - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _name(layout: Layout) -> str:
    stem = datetime.fromtimestamp(clock.now().wall_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
    name, number = stem, 1
    while (layout.backups / name).exists():
        number += 1
        name = f"{stem}-{number}"
    return name
