"""Writes sample files. One writer for a file at a time (held by a lock); not for use by several threads.

A block is written whole or counts as not written: after a failed write the file is cut back, the rows stay
buffered, and the OSError goes to the caller. Must never overwrite a block that was once whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from drillmark import clock
from drillmark.errors import SampleFileError
from drillmark.samples.layout import (
    BLOCK_LIMIT_ROWS,
    NUMPY_TYPE,
    OTHER_WORD,
    STRUCT_CODE,
    TEXT_LIMIT_CHARACTERS,
    WORDS_LIMIT,
    ColumnType,
    Header,
    block,
    control_block,
)
from drillmark.samples.reader import PIECE_BYTES, Scan
from drillmark.samples.whole import size_of, stretches

_fdatasync = getattr(os, "fdatasync", os.fsync)  # macOS has none
_WORDS_IN_BLOCK = 10_000


class SampleWriter:
    """Appends rows to a sample file, which it creates (0600) or takes up where it ends.

    Attributes:
        path: the file.
        meta: what its header says, with `host` and `boot` of this machine filled in.
        rows: rows in the file, without those still buffered.
        resumed: the file was there already.
    """

    def __init__(
        self,
        path: Path,
        columns: dict[str, ColumnType],
        meta: dict[str, Any],
        *,
        fsync_each_flush: bool = False,
    ) -> None:
        """Open or create `path`.

        Raises:
            SampleFileError: another writer has it, or it is another file (columns, run or boot differ).
            OSError: it cannot be created, read or healed.
        """
        self.path = path
        self._fsync_each_flush = fsync_each_flush
        self._header = Header(dict(columns), {"host": clock.host(), "boot": clock.boot_id(), **meta})
        self._check = struct.Struct("<" + "".join(STRUCT_CODE[kind] for kind in columns.values()))
        self._columns = list(columns.items())
        self._codes: dict[str, dict[str, int]] = {name: {} for name in self._header.text_columns}
        self._new_words: dict[str, list[str]] = {name: [] for name in self._header.text_columns}
        self._pending: list[tuple[int, ...]] = []
        self._closed = False
        self.meta = self._header.meta
        self.rows = 0
        self._offset = 0
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._open()
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, **values: int | str) -> None:
        """Add one row, a value for every column. Text is cut at 200 characters. Raises on wrong values."""
        if len(values) != len(self._columns):
            raise ValueError(f"a row of {self.path.name} has the columns {[name for name, _ in self._columns]}")
        row = tuple(
            self._code(name, values[name]) if kind == "text" else int(values[name]) for name, kind in self._columns
        )
        self._check.pack(*row)  # out of range: fails here, with the row, and not at some later flush
        self._pending.append(row)
        if len(self._pending) >= BLOCK_LIMIT_ROWS:
            self.flush()

    def append_rows(self, rows: Iterable[tuple[int | str, ...]]) -> None:
        """Add rows whose values stand in the order of the columns: `append` for many, at a third of its cost."""
        check, code = self._check.pack, self._code
        texts = [(at, name) for at, (name, kind) in enumerate(self._columns) if kind == "text"]
        for row in rows:
            values: list[Any] = list(row)
            for at, name in texts:
                values[at] = self._codes[name].get(values[at], -1)
                if values[at] < 0:
                    values[at] = code(name, row[at])
            check(*values)
            self._pending.append(tuple(values))
        if len(self._pending) >= BLOCK_LIMIT_ROWS:
            self.flush()

    def append_many(self, **columns: np.ndarray[Any, Any]) -> None:
        """Add many rows at once, equally long arrays; for files without text columns. Writes them too."""
        self.flush()
        arrays = [np.ascontiguousarray(columns[name], dtype=NUMPY_TYPE[kind]) for name, kind in self._columns]
        if self._codes or len({len(values) for values in arrays}) != 1:
            raise ValueError("append_many takes equally long columns without text")
        for begin in range(0, len(arrays[0]), BLOCK_LIMIT_ROWS):
            parts = [values[begin : begin + BLOCK_LIMIT_ROWS] for values in arrays]
            self._write(block(len(parts[0]), b"".join(part.tobytes() for part in parts)))
            self.rows += len(parts[0])

    def note(self, **meta: Any) -> None:
        """Add to the file's meta something that was not known when it began. Written at once."""
        self._write(control_block({"meta": meta}))
        self.meta.update(meta)

    def flush(self, *, sync: bool = False) -> None:
        """Write what is buffered; with `sync`, or `fsync_each_flush`, it is on the disk when this returns.

        Raises OSError (disk full, say); the rows stay buffered, and the file reads as before.
        """
        self._write_words()
        while self._pending:
            rows = self._pending[:BLOCK_LIMIT_ROWS]
            self._write(block(len(rows), self._encode(rows)))
            self.rows += len(rows)
            del self._pending[: len(rows)]
        if sync or self._fsync_each_flush:
            _fdatasync(self._descriptor)

    def close(self) -> None:
        """Write what is buffered and the mark of a clean end, on disk. A second call does nothing."""
        if self._closed:
            return
        self.flush()
        self._write(control_block({"closed": self.rows}))
        _fdatasync(self._descriptor)
        self.abandon()

    def abandon(self) -> None:
        """Let the file go without the mark of a clean end (after an error)."""
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)

    def _open(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SampleFileError(f"another process is writing {self.path.name}") from error
        *_, scan = stretches(self.path, size_of(self.path), PIECE_BYTES)
        self.resumed = scan.header is not None
        if scan.header is None:
            os.ftruncate(self._descriptor, 0)
            self._write(self._header.encode())
            os.fsync(self._descriptor)
            _fsync_directory(self.path.parent)
            return
        self._must_match(scan)
        self.meta = scan.meta
        self.rows = scan.rows
        self._offset = scan.offset
        self._codes = {name: {word: code for code, word in enumerate(words)} for name, words in scan.words.items()}
        os.ftruncate(self._descriptor, scan.offset)

    def _must_match(self, scan: Scan) -> None:
        found = scan.header
        wanted = self._header
        if found is None or found.columns != wanted.columns:
            raise SampleFileError(f"{self.path.name} has other columns than these")
        for key in ("run", "host", "boot"):
            if key in scan.meta and key in wanted.meta and scan.meta[key] != wanted.meta[key]:
                raise SampleFileError(
                    f"{self.path.name} belongs to another {key}",
                    hint="clocks of two machines or two boots cannot stand in one file",
                )

    def _code(self, column: str, value: int | str) -> int:
        word = str(value)[:TEXT_LIMIT_CHARACTERS]
        codes = self._codes[column]
        code = codes.get(word)
        if code is None:
            if len(codes) >= WORDS_LIMIT:
                word = OTHER_WORD
            # Lone surrogates (undecodable bytes of a server's answer) cannot stand in UTF-8.
            word = word.encode("utf-8", "replace").decode()
            code = codes.get(word)
        if code is None:
            code = codes[word] = len(codes)
            self._new_words[column].append(word)
        return code

    def _write_words(self) -> None:
        for column, words in self._new_words.items():
            while words:
                part = words[:_WORDS_IN_BLOCK]
                self._write(control_block({"words": {column: part}}))
                del words[: len(part)]

    def _encode(self, rows: list[tuple[int, ...]]) -> bytes:
        payload: list[bytes] = []
        for (_, kind), values in zip(self._columns, zip(*rows, strict=True), strict=True):
            encoded = array(STRUCT_CODE[kind], values)
            if sys.byteorder == "big":
                encoded.byteswap()
            payload.append(encoded.tobytes())
        return b"".join(payload)

    def _write(self, data: bytes) -> None:
        at = self._offset
        rest = memoryview(data)
        try:
            while rest:
                written = os.pwrite(self._descriptor, rest, at)
                at += written
                rest = rest[written:]
        except OSError:
            # Half a block is no block; where even cutting fails, readers see it as torn.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._offset)
            raise
        self._offset = at


def _fsync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
