"""PostgreSQL's write-ahead log as files: names, headers, timelines, and whether a stretch of it is all there.

Reads archives and never writes. Log positions are integers here; segments are counted from the log's beginning.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from drillmark.errors import RecoveryError
from drillmark.postgres import int_to_lsn, lsn_to_int

_NAME = re.compile(r"[0-9A-F]{24}")
_HISTORY_LINE = re.compile(r"^\s*(\d+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)")
# XLogLongPageHeaderData: magic, info, timeline, page address, rest of a record, system identifier, sizes of a
# segment and of a block
_LONG_HEADER = struct.Struct("=HHIQI4xQII")
_IS_LONG = 0x0002
_FIRST_SEGMENT_SIZE = 1 << 20
_LAST_SEGMENT_SIZE = 1 << 30


def segment_name(timeline: int, number: int, segment_size: int) -> str:
    """The file name of a segment, 24 hexadecimal digits."""
    per_file = (1 << 32) // segment_size
    return f"{timeline:08X}{number // per_file:08X}{number % per_file:08X}"


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment's first page says of itself."""

    timeline: int
    address: int
    system_identifier: str
    segment_size: int


def read_header(path: Path) -> Header:
    """The header of a segment file. Raises RecoveryError where it is none, OSError where it cannot be read."""
    with path.open("rb") as file:
        raw = file.read(_LONG_HEADER.size)
    if len(raw) == _LONG_HEADER.size:
        _, info, timeline, address, _, system, size, _ = _LONG_HEADER.unpack(raw)
        if info & _IS_LONG and _FIRST_SEGMENT_SIZE <= size <= _LAST_SEGMENT_SIZE and size & (size - 1) == 0:
            return Header(timeline, address, str(system), size)
    raise RecoveryError(f"log segment {path} does not begin like one: it is damaged, compressed or something else")


@dataclass(frozen=True, slots=True)
class Stretch:
    """One timeline's part of the way: from `begin` (a position) to `end`, None where it is the last."""

    timeline: int
    begin: int
    end: int | None


def segment_number(name: str, segment_size: int) -> int:
    """The inverse of `segment_name`, without the timeline: how many segments stand before it."""
    return int(name[8:16], 16) * ((1 << 32) // segment_size) + int(name[16:24], 16)


@dataclass(frozen=True, slots=True)
class Archive:
    """The segments of an archive directory, as its names say."""

    directory: Path
    names: frozenset[str]

    @classmethod
    def read(cls, directory: Path) -> Archive:
        """List an archive. Raises RecoveryError where the directory cannot be read."""
        try:
            return cls(directory, frozenset(entry.name for entry in directory.iterdir()))
        except OSError as error:
            raise RecoveryError(
                f"cannot read the log archive {directory}: {error.strerror}",
                hint="`archive` names the directory to which archive_command copies",
            ) from error

    @property
    def segments(self) -> list[str]:
        """Names of whole segments, in order of timeline, then position."""
        return sorted(name for name in self.names if _NAME.fullmatch(name))

    def system_identifier(self) -> str:
        """Whose log this is, as its newest segment says. Raises RecoveryError: there is none; OSError."""
        segments = self.segments
        if not segments:
            raise RecoveryError(f"there is no log in {self.directory}")
        return read_header(self.directory / segments[-1]).system_identifier

    def last_number(self, timeline: int, segment_size: int) -> int | None:
        """The highest segment archived on this timeline."""
        prefix = f"{timeline:08X}"
        names = [name for name in self.segments if name.startswith(prefix)]
        if not names:
            return None
        return segment_number(names[-1], segment_size)

    def way_from(self, timeline: int) -> list[Stretch]:
        """The timelines that PostgreSQL goes through from this one on with `recovery_target_timeline = latest`.

        It takes the highest one of an unbroken row of history files, and so does this.
        Raises RecoveryError where that one does not descend from `timeline`, or a history file is damaged.
        """
        newest = timeline
        while f"{newest + 1:08X}.history" in self.names:
            newest += 1
        parents = self._history(newest) if newest > timeline else []
        way: list[Stretch] = []
        begin = 0
        for parent, switched_at in parents:
            if parent >= timeline:
                way.append(Stretch(parent, begin, switched_at))
            begin = switched_at
        way.append(Stretch(newest, begin, None))
        if way[0].timeline != timeline:
            raise RecoveryError(
                f"timeline {newest}, the newest in {self.directory}, does not descend from timeline {timeline}",
                hint="two servers have archived into the same place; take a new base backup of the one that serves",
            )
        return way

    def _history(self, timeline: int) -> list[tuple[int, int]]:
        path = self.directory / f"{timeline:08X}.history"
        parents: list[tuple[int, int]] = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            found = _HISTORY_LINE.match(line)
            if found is None:
                raise RecoveryError(f"timeline history file {path} is damaged: {line[:60]!r}")
            parents.append((int(found[1]), lsn_to_int(found[2])))
        if not parents:
            raise RecoveryError(f"timeline history file {path} is empty")
        return parents


@dataclass(frozen=True, slots=True)
class Log:
    """The log that a restore reads: its files in order, and where it ends."""

    files: tuple[Path, ...]
    segment_size: int
    end: int  # a position: just after the last segment
    system_identifier: str

    @property
    def bytes(self) -> int:
        """What is there to be replayed at most."""
        return len(self.files) * self.segment_size


def log_from(archive: Archive, start: int, timeline: int, *, end: int, until: int | None, own: Path) -> Log:
    """All log from `start` to `until` (None: to the archive's end), every segment looked at.

    Args:
        archive: where archived log lies.
        start: the backup's first position, on `timeline`.
        timeline: the backup's.
        end: the backup's last position; up to there `own` may supply what the archive lacks.
        until: a position that must be reached, or None.
        own: the backup's own `pg_wal`.

    Raises RecoveryError that names the first segment that is missing, or damaged, or of another system.
    """
    own_names = frozenset(path.name for path in own.iterdir()) if own.is_dir() else frozenset[str]()
    size = _segment_size(archive, own, own_names)
    last_own = (end - 1) // size
    files: list[Path] = []
    number = start // size
    for stretch in _within(archive.way_from(timeline), start, end, timeline):
        last = _last_segment(stretch, archive, size, last_own if stretch.timeline == timeline else -1)
        if stretch.timeline > timeline and stretch.end is None and last < number:
            raise RecoveryError(
                f"the log archive has a hole: {archive.directory} knows timeline {stretch.timeline}"
                f" but lacks its first segment {segment_name(stretch.timeline, number, size)}",
                hint="it is not archived yet, or it is lost; without it the old timeline would be replayed too far",
            )
        while number <= last and (until is None or number <= until // size):
            files.append(
                _segment(archive, own, own_names, segment_name(stretch.timeline, number, size), number <= last_own)
            )
            number += 1
    if number <= last_own:
        missing = segment_name(timeline, number, size)
        raise RecoveryError(
            f"log segment {missing} is needed to make the backup consistent, and is not in {archive.directory}"
        )
    if until is not None and number <= until // size:
        raise RecoveryError(
            f"the archived log ends at {int_to_lsn(number * size)}, before the target {int_to_lsn(until)}",
            hint="the segment that holds the target was never archived",
        )
    return Log(tuple(files), size, number * size, _look_at(files, start // size, size))


def _within(way: list[Stretch], start: int, end: int, timeline: int) -> list[Stretch]:
    switched_at = way[0].end
    if start < way[0].begin or (switched_at is not None and end > switched_at):
        raise RecoveryError(
            f"the backup's log ({int_to_lsn(start)} on) is not on the way to timeline {way[-1].timeline}:"
            f" timeline {timeline} was left at {int_to_lsn(switched_at or way[0].begin)}",
            hint="the backup was taken of a server that no longer counted; take a new one",
        )
    return way


def _last_segment(stretch: Stretch, archive: Archive, size: int, last_own: int) -> int:
    if stretch.end is not None:
        # The segment in which a timeline was left is read from the next timeline's own copy.
        return stretch.end // size - 1
    archived = archive.last_number(stretch.timeline, size)
    return max(-1 if archived is None else archived, last_own)


def _segment(archive: Archive, own: Path, own_names: frozenset[str], name: str, in_backup: bool) -> Path:  # noqa: FBT001
    if name in archive.names:
        return archive.directory / name
    if in_backup and name in own_names:
        return own / name
    raise RecoveryError(
        f"the log archive has a hole: {archive.directory} lacks {name}, and has later ones",
        hint="PostgreSQL would stop there without a word and lose everything after it",
    )


def _segment_size(archive: Archive, own: Path, own_names: frozenset[str]) -> int:
    candidates = [own / name for name in sorted(own_names) if _NAME.fullmatch(name)]
    candidates += [archive.directory / name for name in archive.segments]
    if not candidates:
        raise RecoveryError(f"there is no log in {archive.directory}")
    # One file's damage must not hide the size; the damaged one is named when its turn comes.
    for path in candidates:
        try:
            return read_header(path).segment_size
        except RecoveryError:
            continue
    return read_header(candidates[0]).segment_size


def _look_at(files: list[Path], first: int, size: int) -> str:
    system = ""
    for number, path in enumerate(files, first):
        try:
            header, found = read_header(path), path.stat().st_size
        except OSError as error:
            raise RecoveryError(f"log segment {path} cannot be read: {error.strerror}") from error
        if found != size:
            raise RecoveryError(f"log segment {path} has {found} bytes instead of {size}")
        if header.address != number * size or header.timeline > int(path.name[:8], 16):
            raise RecoveryError(f"log segment {path} holds another place's log ({int_to_lsn(header.address)})")
        system = system or header.system_identifier
        if header.system_identifier != system:
            raise RecoveryError(f"log segment {path} is of another system ({header.system_identifier}, not {system})")
    return system
