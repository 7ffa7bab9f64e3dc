"""A sample file as rows that are read piece by piece, as often as somebody asks, and never stand in memory together.

Opening walks over the file once, CRC of every block included, and notes where the pieces are. Must give the rows that
`whole.read` would have given then, whatever is written after them meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drillmark.errors import SampleFileError
from drillmark.samples.layout import BLOCK, NUMPY_TYPE, WIDTH, Header
from drillmark.samples.reader import Scan, empty
from drillmark.samples.whole import size_of, stretches

# Small, as a dozen arrays are made of each piece; large, as each costs some calls.
PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Piece:
    """Where in the file it is, its rows, the span of each i8 column, and that of the codes of each text column."""

    begin: int
    end: int
    rows: int
    spans: dict[str, tuple[int, int]]


class StoredRows:
    """The rows of a sample file; see `Rows`."""

    def __init__(self, path: Path, header: Header, scan: Scan, pieces: list[_Piece]) -> None:
        self._path = path
        self._header = header
        self._pieces = pieces
        self.texts = {name: list(words) for name, words in scan.words.items()}
        self.meta = dict(scan.meta)
        self.torn = scan.torn
        self.closed = scan.closed
        self._cut_at_unknown_words()
        self.closed = self.closed and not self.torn

    def __len__(self) -> int:
        return sum(piece.rows for piece in self._pieces)

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return len(self._pieces)

    def piece(self, number: int, *names: str) -> dict[str, NDArray[Any]]:
        """These columns of a piece. Raises SampleFileError where they cannot be read any more."""
        piece = self._pieces[number]
        try:
            with self._path.open("rb") as file:
                file.seek(piece.begin)
                data = file.read(piece.end - piece.begin)
        except OSError as error:
            raise SampleFileError(f"cannot read the sample file {self._path.name}: {error.strerror}") from error
        start = data.find(b"\n") + 1 if piece.begin == 0 else 0
        columns: dict[str, NDArray[Any]] = {}
        if len(data) == piece.end - piece.begin:
            with suppress(ValueError):
                columns = self._columns(data, start, names)
        if not all(name in columns and len(columns[name]) >= piece.rows for name in names):
            raise SampleFileError(f"{self._path.name} was changed while it was read")
        return {name: values[: piece.rows] for name, values in columns.items()}

    def _columns(self, data: bytes, start: int, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        return {
            name: np.frombuffer(
                parts[0] if len(parts) == 1 else b"".join(parts), NUMPY_TYPE[self._header.columns[name]]
            )
            for name, parts in _parts(memoryview(data), start, self._header, names).items()
        }

    def span(self, number: int, name: str) -> tuple[int, int]:
        """The least and the greatest value of an i8 column in a piece."""
        return self._pieces[number].spans[name]

    def _cut_at_unknown_words(self) -> None:
        # A word that no block has brought can only be damage that happens to have a right CRC.
        for number, piece in enumerate(self._pieces):
            known = {name: len(words) for name, words in self.texts.items()}
            names = [
                name for name, count in known.items() if not 0 <= piece.spans[name][0] <= piece.spans[name][1] < count
            ]
            if names:
                codes = self.piece(number, *names)
                bad = [np.flatnonzero((codes[name] < 0) | (codes[name] >= known[name]))[0] for name in names]
                rows = int(min(bad))
                cut = _Piece(piece.begin, piece.end, rows, piece.spans)
                self._pieces = [*self._pieces[:number], *([cut] if rows else [])]
                self.torn = True
                return


def stored(path: Path, piece_bytes: int = PIECE_BYTES) -> StoredRows:
    """The rows of a sample file as it is now. Raises SampleFileError as `whole.read` does."""
    scan, pieces, begin = Scan(), list[_Piece](), 0
    for scan in stretches(path, size_of(path), piece_bytes):
        if any(scan.parts.values()):
            pieces.append(_piece(scan, begin))
        begin = scan.offset
    if scan.header is None:
        nothing = empty(path)
        header = Header(dict.fromkeys(nothing.columns, "i8"))
        return StoredRows(path, header, Scan(words=nothing.texts, torn=True), [])
    return StoredRows(path, scan.header, scan, pieces)


def _piece(scan: Scan, begin: int) -> _Piece:
    assert scan.header is not None
    spans: dict[str, tuple[int, int]] = {}
    rows = 0
    for name, kind in scan.header.columns.items():
        parts = scan.parts[name]
        rows = sum(len(part) for part in parts) // WIDTH[kind]
        if kind in ("i8", "text"):
            spans[name] = _span(np.frombuffer(part, dtype=NUMPY_TYPE[kind]) for part in parts)
    return _Piece(begin, scan.offset, rows, spans)


def _span(parts: Iterable[NDArray[Any]]) -> tuple[int, int]:
    edges = [(int(part.min()), int(part.max())) for part in parts]
    return min(least for least, _ in edges), max(most for _, most in edges)


def _parts(data: memoryview, start: int, header: Header, names: Iterable[str]) -> dict[str, list[memoryview]]:
    """The bytes of some columns, block after block. The blocks were found whole when the file was opened."""
    before, places = 0, list[tuple[list[memoryview], int, int]]()
    found: dict[str, list[memoryview]] = {name: [] for name in names}
    for name, kind in header.columns.items():
        if name in found:
            places.append((found[name], before, WIDTH[kind]))
        before += WIDTH[kind]
    position = start
    while len(data) - position >= BLOCK.size:
        rows, length, _ = BLOCK.unpack_from(data, position)
        position += BLOCK.size
        if rows:
            for parts, offset, width in places:
                at = position + rows * offset
                parts.append(data[at : at + rows * width])
        position += length
    return found
