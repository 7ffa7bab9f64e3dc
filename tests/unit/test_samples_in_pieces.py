"""Sample files are never in memory whole: not to follow or to go on with them, nor what follows damage, however long."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drillmark import samples
from drillmark.samples import layout, reader, whole, writer

IDS: dict[str, samples.layout.ColumnType] = {"id": "i8", "name": "text"}


def write(path: Path, rows: int, *, first: int = 0, close: bool = True) -> None:
    """Rows in blocks of four, with a new word in each."""
    made = samples.SampleWriter(path, IDS, {"run": "r1"})
    for number in range(first, first + rows):
        made.append(id=number, name=f"n{number // 4}")
        if number % 4 == 3:
            made.flush()
    made.close() if close else made.abandon()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each walk over a file had in memory."""
    found: list[int] = []
    walk = reader.walk

    def spy(path: Path, scan: reader.Scan, *, until: int | None = None) -> None:
        size = path.stat().st_size
        found.append(max(0, min(size, size if until is None else until) - scan.offset))
        walk(path, scan, until=until)

    monkeypatch.setattr(reader, "walk", spy)
    monkeypatch.setattr(whole, "walk", spy)
    return found


@pytest.mark.parametrize("piece_bytes", [1, 40, 200, 1 << 21])
def test_following_in_pieces_gives_every_row_once_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[int], piece_bytes: int
) -> None:
    monkeypatch.setattr(reader, "PIECE_BYTES", piece_bytes)
    path = tmp_path / "ids.dms"
    tail = samples.Tail(path)
    assert list(tail.pieces()) == []
    found: list[int] = []
    monkeypatch.setattr(writer, "PIECE_BYTES", 1)
    for round_ in range(4):
        write(path, 100, first=round_ * 100, close=round_ == 3)
        pieces = list(tail.pieces())
        assert len(pieces) > 1 or piece_bytes > 200
        found += [number for piece in pieces for number in piece["id"].tolist()]
        assert list(tail.pieces()) == []
    assert found == list(range(400))
    longest = path.read_bytes().index(b"\n") + 1  # of what is taken whole: every block is shorter than the header
    assert max(reads) < max(piece_bytes + 1, 2 * longest)
    assert path.stat().st_size > 10 * longest


@pytest.mark.parametrize(
    "read",
    [samples.read, samples.stored, samples.survey, lambda path: list(samples.Tail(path).pieces())],
    ids=["read", "stored", "survey", "tail"],
)
@pytest.mark.parametrize("within", ["the header", "the blocks"])
def test_what_follows_damage_is_not_read_to_its_end(
    tmp_path: Path, reads: list[int], read: Callable[[Path], Any], within: str
) -> None:
    path = tmp_path / "ids.dms"
    if within == "the header":
        path.write_bytes(layout.MAGIC)
    else:
        write(path, 40)
    os.truncate(path, 4 * layout.LARGEST_BLOCK_BYTES)  # takes no room on the disk: a hole, which is no block
    read(path)
    assert max(reads) <= layout.LARGEST_BLOCK_BYTES


def test_a_writer_goes_on_in_a_long_file_without_reading_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[int]
) -> None:
    monkeypatch.setattr(writer, "PIECE_BYTES", 400)
    path = tmp_path / "ids.dms"
    write(path, 400)
    size = path.stat().st_size
    reads.clear()
    write(path, 4, first=400)
    assert len(reads) > size // 400
    assert max(reads) <= 400
    table = samples.read(path)
    assert table["id"].tolist() == list(range(404))
    assert samples.texts(table, "name") == [f"n{number // 4}" for number in range(404)]


def test_damage_with_much_behind_it_ends_the_rows_there(tmp_path: Path) -> None:
    path = tmp_path / "ids.dms"
    write(path, 40)
    os.truncate(path, 4 * layout.LARGEST_BLOCK_BYTES)
    for table in (samples.read(path), samples.stored(path), samples.survey(path)):
        assert (table.torn, table.closed) == (True, False)
    assert samples.read(path)["id"].tolist() == list(range(40))


def test_the_largest_block_there_can_be_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ids.dms"
    room = layout.CONTROL_LIMIT_BYTES - len('{"meta":{"word":""}}')
    largest = layout.control_block({"meta": {"word": "x" * room}})
    assert len(largest) == layout.LARGEST_BLOCK_BYTES
    path.write_bytes(layout.Header({"id": "i8"}).encode() + largest + layout.block(1, struct.pack("<q", 7)))
    assert samples.read(path)["id"].tolist() == [7]
    assert len(samples.stored(path)) == samples.survey(path).rows == 1
    assert [number for piece in samples.Tail(path).pieces() for number in piece["id"].tolist()] == [7]


def test_no_rows_of_any_layout_make_a_larger_block() -> None:
    for columns in layout.LAYOUTS.values():
        rows = layout.BLOCK_LIMIT_ROWS * layout.Header(columns).row_bytes
        assert layout.BLOCK.size + rows <= layout.LARGEST_BLOCK_BYTES
