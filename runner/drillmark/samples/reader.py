"""Walks over sample files, and follows those that grow. `whole` reads one that does not.

A file that was cut, or damaged, reads as the rows before that place, and says `torn`. Sizes in the file are
believed only as far as the file's own bytes and the CRC bear them out, so nothing absurd is ever allocated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drillmark.errors import SampleFileError
from drillmark.model.evidence import Table
from drillmark.samples.layout import (
    BLOCK,
    BLOCK_LIMIT_ROWS,
    CONTROL_LIMIT_BYTES,
    HEADER_LIMIT_BYTES,
    LARGEST_BLOCK_BYTES,
    LAYOUTS,
    MAGIC,
    NUMPY_TYPE,
    WIDTH,
    Header,
    checksum,
    decode_header,
)

# So much of a file is in memory at a time, as long as its blocks are not larger.
PIECE_BYTES = 1 << 21


@dataclass(slots=True)
class Scan:
    """What a walk over the blocks of a file has found; a later walk goes on from it.

    Attributes:
        header: None as long as the header line is not whole.
        offset: end of the last whole block, in bytes from the start of the file.
        rows: rows in all blocks walked over.
        closed: the last whole block says that the writer ended by itself.
        torn: bytes follow that are no whole block.
    """

    header: Header | None = None
    offset: int = 0
    rows: int = 0
    words: dict[str, list[str]] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    closed: bool = False
    torn: bool = False
    parts: dict[str, list[memoryview]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file holds, without its rows: see `Table`."""

    rows: int
    meta: dict[str, Any]
    torn: bool
    closed: bool


def read_from(path: Path, offset: int) -> tuple[Table, int]:
    """The rows after `offset` (0: all), and the offset to go on from next time.

    `torn` may only mean that the writer is in the middle of a block. Files with text columns are walked
    from their start for the dictionary; `Tail` remembers it instead.
    """
    tail = Tail(path)
    if offset:
        tail.skip_to(offset)
    return tail.read_new(), tail.offset


def survey(path: Path) -> Survey:
    """What `read` would tell of a file, in little memory, however long it is. Raises SampleFileError as `read` does."""
    tail = Tail(path)
    rows = 0
    for piece in tail.pieces():
        rows += len(piece)
        if rows < tail.scan.rows:
            break  # a word that no block has brought
    walk(path, tail.scan, until=tail.offset + PIECE_BYTES)  # is anything left? Raises where there is no such file
    torn = tail.scan.torn or tail.scan.header is None or rows < tail.scan.rows
    return Survey(rows, tail.scan.meta, torn=torn, closed=tail.scan.closed and not torn)


class Tail:
    """Follows a sample file that grows. Also one that is not there yet.

    Attributes:
        scan: what the walk over the file has found so far, without the rows that were handed out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scan = Scan()

    @property
    def offset(self) -> int:
        """How far the file has been read, in bytes."""
        return self.scan.offset

    def skip_to(self, offset: int) -> None:
        """Take note of the words up to `offset` and leave the rows out."""
        walk(self.path, self.scan, until=offset)
        self.scan.parts = {}

    def read_new(self) -> Table:
        """The rows that came since the last call. Raises SampleFileError as `read` does."""
        if not self.path.exists():
            return empty(self.path)
        walk(self.path, self.scan)
        table = _table(self.path, self.scan)
        self.scan.parts = {}
        return table

    def pieces(self) -> Iterator[Table]:
        """The same, a few megabytes at a time: an hour of samples takes no more memory than a minute.

        `torn` says nothing here: a piece may end within a block, which then belongs to the next one.
        """
        limit = PIECE_BYTES
        while self.path.exists():
            before = self.scan.offset
            walk(self.path, self.scan, until=before + limit)
            if self.scan.offset > before:
                table = _table(self.path, self.scan)
                self.scan.parts = {}
                limit = PIECE_BYTES
                yield table
            elif not self.scan.torn or limit >= LARGEST_BLOCK_BYTES:
                return  # nothing more, or damage
            else:
                limit = min(2 * limit, LARGEST_BLOCK_BYTES)


def walk(path: Path, scan: Scan, *, until: int | None = None) -> None:
    """Go over the blocks after `scan.offset`, up to the first that is not whole, or to `until` bytes."""
    try:
        with path.open("rb") as file:
            file.seek(scan.offset)
            data = file.read() if until is None else file.read(max(0, until - scan.offset))
    except OSError as error:
        raise SampleFileError(f"cannot read the sample file {path.name}: {error.strerror}") from error
    start = 0
    if scan.header is None:
        start = _take_header(path, scan, data)
        if scan.header is None:
            return
    used = _take_blocks(scan, scan.header, memoryview(data), start)
    scan.offset += used
    scan.torn = used < len(data)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Raises SampleFileError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SampleFileError(f"cannot read the sample file {path.name}: {error.strerror}") from error


def texts(table: Table, column: str) -> list[str]:
    """A text column as strings, one for each row."""
    words = table.texts.get(column, [])
    return [words[index] for index in table.columns[column].tolist()]


def _take_header(path: Path, scan: Scan, data: bytes) -> int:
    end = data.find(b"\n", 0, HEADER_LIMIT_BYTES)
    if end < 0:
        if not data.startswith(MAGIC) and not MAGIC.startswith(data):
            raise SampleFileError(f"not a sample file: {path.name}")
        scan.torn = True
        return 0
    scan.header = decode_header(data[:end], path.name)
    scan.meta = dict(scan.header.meta)
    scan.words = {name: [] for name in scan.header.text_columns}
    return end + 1


def _take_blocks(scan: Scan, header: Header, data: memoryview, start: int) -> int:
    """Take every whole block; returns where the last one ended."""
    position = start
    size = len(data)
    row_bytes = header.row_bytes
    widths = [(name, WIDTH[kind]) for name, kind in header.columns.items()]
    for name in header.columns:
        scan.parts.setdefault(name, [])
    parts = [(scan.parts[name].append, width) for name, width in widths]
    while size - position >= BLOCK.size:
        rows, length, crc = BLOCK.unpack_from(data, position)
        begin = position + BLOCK.size
        end = begin + length
        if end > size or not _plausible(rows, length, row_bytes):
            break
        payload = data[begin:end]
        if checksum(rows, payload) != crc:
            break
        if rows:
            at = 0
            for take, width in parts:
                take(payload[at : at + rows * width])
                at += rows * width
            scan.rows += rows
            scan.closed = False
        elif not _take_control(scan, bytes(payload)):
            break
        position = end
    return position


def _plausible(rows: int, length: int, row_bytes: int) -> bool:
    if rows == 0:
        return length <= CONTROL_LIMIT_BYTES
    return rows <= BLOCK_LIMIT_ROWS and length == rows * row_bytes


def _take_control(scan: Scan, payload: bytes) -> bool:
    """Take dictionary words, additions to meta, or the mark of the end. False: makes no sense."""
    try:
        document = json.loads(payload)
        for column, words in document.get("words", {}).items():
            scan.words[column].extend(str(word) for word in words)
        scan.meta.update(document.get("meta", {}))
        if "closed" in document:
            scan.closed = document["closed"] == scan.rows
            return scan.closed
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    scan.closed = False
    return True


def _table(path: Path, scan: Scan) -> Table:
    if scan.header is None:
        return empty(path)
    columns: dict[str, NDArray[Any]] = {}
    for name, kind in scan.header.columns.items():
        columns[name] = np.frombuffer(b"".join(scan.parts.get(name, [])), dtype=NUMPY_TYPE[kind])
    return checked(scan, columns)


def checked(scan: Scan, columns: dict[str, NDArray[Any]]) -> Table:
    """The table, up to the first row that cannot be."""
    torn = scan.torn
    # A word that no block has brought can only be damage that happens to have a right CRC.
    for name in scan.words:
        bad = np.flatnonzero((columns[name] < 0) | (columns[name] >= len(scan.words[name])))
        if len(bad):
            columns = {key: values[: bad[0]] for key, values in columns.items()}
            torn = True
    words = {name: list(found) for name, found in scan.words.items()}
    return Table(columns, words, dict(scan.meta), torn=torn, closed=scan.closed and not torn)


def empty(path: Path) -> Table:
    """The table of a file of which no header is there."""
    # A worker of the load has its number in its files (`load-users-2`), a marker writer its name (`ledger-<name>`).
    stem = path.stem.rstrip("0123456789").removesuffix("-")
    layout = LAYOUTS.get(stem) or LAYOUTS.get(stem.split("-")[0], {})
    return Table(
        {name: np.empty(0, dtype=NUMPY_TYPE[kind]) for name, kind in layout.items()},
        {name: [] for name, kind in layout.items() if kind == "text"},
        torn=True,
    )
