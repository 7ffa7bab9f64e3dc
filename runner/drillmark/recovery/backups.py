"""Base backups as directories: which there are, what each says of itself, which one a restore takes.

An incremental backup counts with the backups that it builds on. Reads only. A backup counts when it is complete, that
is when its manifest is there (pg_basebackup writes it last).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drillmark import postgres
from drillmark.errors import RecoveryError
from drillmark.recovery.target import Target, iso

MANIFEST = "backup_manifest"
LABEL = "backup_label"
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\S+)")
_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?")


@dataclass(frozen=True, slots=True)
class Backup:
    """One complete base backup in plain format.

    Attributes:
        started_wall_ns: all that was committed before is in it, once its own log is replayed.
        ended_wall_ns: no target before this can be reached from it.
        start, end: positions between which its log is needed in any case.
        builds_on: start of the backup that an incremental one builds on; None: it is a full one.
        parents: what an incremental one is combined with, the full one first.
    """

    directory: Path
    timeline: int
    start: int
    end: int
    started_wall_ns: int
    ended_wall_ns: int
    system_identifier: str
    manifest: dict[str, Any]
    builds_on: int | None = None
    parents: tuple[Backup, ...] = ()

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.directory.name


def candidates(backups: Path) -> list[Path]:
    """Directories of complete backups, newest first (by when they were complete). Raises RecoveryError."""
    try:
        found = [
            place for place in backups.iterdir() if not place.name.startswith(".") and (place / MANIFEST).is_file()
        ]
        return sorted(found, key=lambda place: ((place / MANIFEST).stat().st_mtime_ns, place.name), reverse=True)
    except OSError as error:
        raise RecoveryError(
            f"cannot read the backups in {backups}: {error.strerror}",
            hint="`backups` names a directory of base backups, each taken by pg_basebackup in plain format",
        ) from error


def choose(backups: Path, archive: Path, target: Target) -> Backup:
    """The newest complete backup that is not after the target.

    A damaged one that would be chosen is an error and is not passed over in silence. Raises RecoveryError.
    """
    places = candidates(backups)
    if not places:
        raise RecoveryError(f"there is no complete backup in {backups}")
    for place in places:
        backup = read(place, archive)
        if target.position is not None and backup.end > target.position:
            continue
        if target.wall_ns is not None and backup.ended_wall_ns > target.wall_ns:
            continue
        return replace(backup, parents=_parents(backup, places, archive))
    raise RecoveryError(
        f"all {len(places)} backups in {backups} end after the target {target}",
        hint="a restore can only go forward from a backup",
    )


def _parents(backup: Backup, places: list[Path], archive: Path) -> tuple[Backup, ...]:
    """The backups that an incremental one builds on, the full one first. Raises RecoveryError: one is missing."""
    chain: list[Backup] = []
    link = backup
    while link.builds_on is not None:
        # Only labels are read here: a damaged backup that is no link of this chain is nobody's business.
        found = next(
            (place for place in places if _start_of(place) == link.builds_on and place != link.directory), None
        )
        if found is None or any(found == one.directory for one in chain):
            raise RecoveryError(
                f"{link.directory} is an incremental backup, and the one that it builds on, which began at"
                f" {postgres.int_to_lsn(link.builds_on)}, is not there",
                hint="keep a full backup as long as any incremental one that builds on it",
            )
        link = read(found, archive)
        chain.append(link)
    return tuple(reversed(chain))


def _start_of(directory: Path) -> int | None:
    try:
        label = _label(directory)
        return postgres.lsn_to_int(label.get("START WAL LOCATION", "").split(" ", 1)[0])
    except (RecoveryError, ValueError):
        return None


def read(directory: Path, archive: Path) -> Backup:
    """What a backup says of itself. Raises RecoveryError that names the file that is missing or damaged."""
    path = directory / MANIFEST
    try:
        raw = path.read_bytes()
        manifest = json.loads(raw)
        ranges = manifest["WAL-Ranges"]
        first, last = ranges[0], ranges[-1]
        timeline, start = int(first["Timeline"]), postgres.lsn_to_int(first["Start-LSN"])
        end = postgres.lsn_to_int(last["End-LSN"])
    except OSError as error:
        raise RecoveryError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise RecoveryError(f"{path} is damaged: {type(error).__name__} {error}") from error
    label = _label(directory)
    builds_on = _position(label.get("INCREMENTAL FROM LSN", ""), directory)
    if any(path.is_symlink() for path in (directory / "pg_tblspc").glob("*")):
        raise RecoveryError(f"{directory} has tablespaces, which cannot be restored yet")
    started = _wall_ns(label.get("START TIME", "")) or (directory / LABEL).stat().st_mtime_ns
    ended = _wall_ns(_stop_time(archive, label)) or path.stat().st_mtime_ns
    system = manifest.get("System-Identifier") or postgres.control_data(directory)["Database system identifier"]
    return Backup(directory, timeline, start, end, started, ended, str(system), manifest, builds_on)


def _position(text: str, directory: Path) -> int | None:
    if not text:
        return None
    try:
        return postgres.lsn_to_int(text)
    except ValueError as error:
        raise RecoveryError(f"{directory / LABEL} is damaged: {text[:60]!r} is no log position") from error


def _label(directory: Path) -> dict[str, str]:
    path = directory / LABEL
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RecoveryError(
            f"cannot read {path}: {error.strerror}", hint="without it this is no base backup"
        ) from error
    return _pairs(text)


def _pairs(text: str) -> dict[str, str]:
    return {
        key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in text.splitlines()) if colon
    }


def _stop_time(archive: Path, label: dict[str, str]) -> str:
    # The archive holds a small file for each backup: <first segment>.<offset>.backup
    found = re.match(r"([0-9A-F]+/[0-9A-F]+) \(file ([0-9A-F]{24})\)", label.get("START WAL LOCATION", ""))
    if found is None:
        return ""
    for path in archive.glob(f"{found[2]}.*.backup"):
        pairs = _pairs(path.read_text(encoding="utf-8", errors="replace"))
        if pairs.get("START WAL LOCATION", "").startswith(found[1] + " "):
            return pairs.get("STOP TIME", "")
    return ""


def _wall_ns(text: str) -> int | None:
    # Names of zones other than UTC are ambiguous, and are not guessed at.
    found = _TIME.match(text)
    if found is None:
        return None
    moment = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    seconds = int(moment.timestamp())
    offset = _OFFSET.fullmatch(found[2])
    if offset is not None:
        away = int(offset[2]) * 3600 + int(offset[3] or 0) * 60
        seconds -= away if offset[1] == "+" else -away
    elif found[2] not in {"UTC", "GMT", "Z"}:
        return None
    return seconds * 10**9


def describe(backup: Backup) -> str:
    """One line for a log."""
    built = f", on top of {', '.join(parent.name for parent in backup.parents)}" if backup.parents else ""
    return f"backup {backup.name} of {iso(backup.started_wall_ns)}, timeline {backup.timeline}{built}"
