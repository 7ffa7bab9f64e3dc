"""Walks over a sample file as it is now, and reads it whole, into columns of the size that the file itself bounds.

Piece by piece: an hour of samples is never in memory as a file beside the table that it becomes, nor is what follows
damage. Must give what one walk over the whole file would.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drillmark.errors import SampleFileError
from drillmark.model.evidence import Table
from drillmark.samples.layout import LARGEST_BLOCK_BYTES, NUMPY_TYPE, Header
from drillmark.samples.reader import PIECE_BYTES, Scan, checked, empty, walk


def read(path: Path, piece_bytes: int = PIECE_BYTES) -> Table:
    """The rows of a sample file, read in pieces of that size, or of the largest block's.

    Raises:
        SampleFileError: it is not there, cannot be opened, or is no sample file at all. A file that was cut
            or damaged on the way is none of these: see `Table.torn` and `Table.closed`.
    """
    size = size_of(path)
    scan, columns, rows = Scan(), None, 0
    for scan in stretches(path, size, piece_bytes):
        if columns is None and scan.header is not None:
            columns = _room(scan.header, size)
        if columns is not None:
            rows = _fill(columns, rows, scan)
    return empty(path) if columns is None else checked(scan, {name: each[:rows] for name, each in columns.items()})


def size_of(path: Path) -> int:
    """How large a file is now. Raises SampleFileError where there is none."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise SampleFileError(f"cannot read the sample file {path.name}: {error.strerror}") from error


def stretches(path: Path, size: int, piece_bytes: int) -> Iterator[Scan]:
    """Walk over the first `size` bytes, a stretch of whole blocks at a time: always the same scan, after each stretch.

    Its `parts` are those of the stretch alone. There is one at least, perhaps without anything.
    """
    scan, limit = Scan(), piece_bytes
    while True:
        before = scan.offset
        walk(path, scan, until=min(size, before + limit))
        yield scan
        scan.parts = {}
        if scan.offset > before:
            limit = piece_bytes
        elif not scan.torn or before + limit >= size or limit >= LARGEST_BLOCK_BYTES:
            return  # nothing more, or damage
        else:
            limit = min(2 * limit, LARGEST_BLOCK_BYTES)


def _room(header: Header, size: int) -> dict[str, NDArray[Any]]:
    """Columns for as many rows as a file of that size can hold. What is never written to takes no memory."""
    return {name: np.empty(size // header.row_bytes, NUMPY_TYPE[kind]) for name, kind in header.columns.items()}


def _fill(columns: dict[str, NDArray[Any]], rows: int, scan: Scan) -> int:
    """Move what the walk has taken into the columns, after their first `rows`; returns how many there are then."""
    for name, found in columns.items():
        at = rows
        for part in scan.parts.get(name, ()):
            values = np.frombuffer(part, dtype=found.dtype)
            found[at : at + len(values)] = values
            at += len(values)
    return scan.rows
