"""Sample files: what is written is read, what is cut or damaged is never taken for whole."""

from __future__ import annotations

import errno
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drillmark import samples
from drillmark.errors import SampleFileError
from drillmark.samples import layout, reader

IDS: dict[str, samples.layout.ColumnType] = {"id": "i8"}
META = {"run": "r1", "period_ns": 100}


def beats(path: Path, rows: int, *, close: bool = True, first: int = 0) -> None:
    writer = samples.SampleWriter(path, samples.BEATS, META)
    for n in range(first, first + rows):
        writer.append(beat=n, probe=f"p{n % 3}", sent_ns=n * 100, received_ns=n * 100 + 7, ok=n % 2, detail="200")
        if n % 4 == 3:
            writer.flush()
    if close:
        writer.close()
    else:
        writer.flush()
        writer.abandon()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 10)
    table = samples.read(path)
    assert len(table) == 10
    assert table["sent_ns"].tolist() == [n * 100 for n in range(10)]
    assert table["ok"].tolist() == [n % 2 for n in range(10)]
    assert samples.texts(table, "probe") == [f"p{n % 3}" for n in range(10)]
    assert samples.texts(table, "detail") == ["200"] * 10
    assert (table.closed, table.torn) == (True, False)
    assert table.meta["period_ns"] == 100
    assert table.meta["host"]
    assert table.meta["boot"]


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_writer_that_was_killed_leaves_no_mark_of_the_end(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 10, close=False)
    table = samples.read(path)
    assert (len(table), table.closed, table.torn) == (10, False, False)


def test_a_torn_tail_is_cut_when_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 8, close=False)
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\x05\x00\x00\x00half a block")
    assert samples.read(path).torn
    assert len(samples.read(path)) == 8
    beats(path, 4, first=8)
    table = samples.read(path)
    assert table["beat"].tolist() == list(range(12))
    assert samples.texts(table, "probe") == [f"p{n % 3}" for n in range(12)]
    assert (table.closed, table.torn) == (True, False)
    assert path.stat().st_size > whole


def test_going_on_after_a_clean_end_is_not_closed_until_it_ends_again(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 4)
    beats(path, 4, first=4, close=False)
    table = samples.read(path)
    assert (len(table), table.closed, table.torn) == (8, False, False)


def test_damage_in_the_middle_ends_the_reading_there(tmp_path: Path) -> None:
    path = tmp_path / "ledger.dms"
    writer = samples.SampleWriter(path, samples.LEDGER, META)
    ends: list[int] = []
    for n in range(5):
        writer.append(kind=0, id=n, at_ns=n, writer=0, lsn=0, timeline=1, op=0, key=n)
        writer.flush()
        ends.append(path.stat().st_size)
    writer.close()
    data = bytearray(path.read_bytes())
    for place in (ends[1] + 1, ends[1] + 5, ends[1] + 9, ends[1] + 20):
        damaged = bytearray(data)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        table = samples.read(path)
        assert table["id"].tolist() == [0, 1]
        assert (table.torn, table.closed) == (True, False)


def test_a_block_that_is_missing_makes_the_end_unbelievable(tmp_path: Path) -> None:
    path = tmp_path / "survivors.dms"
    writer = samples.SampleWriter(path, IDS, META)
    ends = [path.stat().st_size]
    for n in range(3):
        writer.append(id=n)
        writer.flush()
        ends.append(path.stat().st_size)
    writer.close()
    data = path.read_bytes()
    path.write_bytes(data[: ends[1]] + data[ends[2] :])
    table = samples.read(path)
    assert not table.closed
    assert table.torn


@pytest.mark.parametrize(
    ("rows", "length"), [(1, 0xFFFFFFF0), (0xFFFFFFFF, 8), (0x20000000, 0xFFFFFFFF), (0, 0xFFFFFFFF)]
)
def test_absurd_sizes_allocate_nothing(tmp_path: Path, rows: int, length: int) -> None:
    path = tmp_path / "survivors.dms"
    writer = samples.SampleWriter(path, IDS, META)
    writer.append(id=1)
    writer.close()
    with path.open("ab") as file:
        file.write(struct.pack("<III", rows, length, 0) + b"x" * 64)
    script = f"""
import resource
from pathlib import Path
from drillmark import samples
read = samples.read  # imports numpy, which takes room of its own
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
table = read(Path({str(path)!r}))
assert table['id'].tolist() == [1] and table.torn
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("content", [b"hello\n", b"\x00" * 100, b"{}\n", b'{"format":"drillmark.samples/9"}\n'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "beats.dms"
    path.write_bytes(content)
    with pytest.raises(SampleFileError):
        samples.read(path)


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SampleFileError, match=r"beats\.dms"):
        samples.read(tmp_path / "beats.dms")


def test_cut_within_the_header_is_an_empty_table_with_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 3)
    data = path.read_bytes()
    for length in (0, 1, 20, 60):
        path.write_bytes(data[:length])
        table = samples.read(path)
        assert (len(table), table.torn, table.closed) == (0, True, False)
        assert set(table.columns) == set(samples.BEATS)


def test_following_a_file_gives_every_row_once(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    tail = samples.Tail(path)
    assert len(tail.read_new()) == 0
    offset = 0
    by_tail: list[str] = []
    by_offset: list[str] = []
    for round_ in range(6):
        beats(path, 5, first=round_ * 5, close=round_ == 5)
        by_tail += samples.texts(tail.read_new(), "probe")
        table, offset = samples.read_from(path, offset)
        by_offset += samples.texts(table, "probe")
        assert len(tail.read_new()) == 0
    assert by_tail == by_offset == [f"p{n % 3}" for n in range(30)]
    assert offset == tail.offset == path.stat().st_size


def test_following_waits_for_the_rest_of_a_block(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 5)
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    tail = samples.Tail(path)
    seen = tail.read_new()
    assert seen.torn
    path.write_bytes(data)
    rest = tail.read_new()
    assert (*seen["beat"].tolist(), *rest["beat"].tolist()) == tuple(range(5))
    assert rest.closed


@pytest.mark.parametrize("piece_bytes", [1, 1 << 21])
def test_a_survey_tells_what_reading_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    monkeypatch.setattr(reader, "PIECE_BYTES", piece_bytes)
    path = tmp_path / "beats.dms"
    beats(path, 10)
    data = path.read_bytes()
    damaged = [data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :] for at in range(len(data) // 2, len(data), 7)]
    for content in (data, data + b"x", *damaged, *(data[:length] for length in range(0, len(data), 5))):
        path.write_bytes(content)
        table, found = samples.read(path), samples.survey(path)
        assert (found.rows, found.torn, found.closed) == (len(table), table.torn, table.closed)
        assert found.meta == table.meta
    path.unlink()
    with pytest.raises(SampleFileError, match=r"beats\.dms"):
        samples.survey(path)


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    writer = samples.SampleWriter(path, samples.BEATS, META)
    with pytest.raises(SampleFileError, match="another process"):
        samples.SampleWriter(path, samples.BEATS, META)
    writer.close()


@pytest.mark.parametrize(
    ("columns", "meta"),
    [(samples.LEDGER, META), (samples.BEATS, {"run": "r2"}), (samples.BEATS, {"run": "r1", "boot": "b"})],
)
def test_going_on_in_a_file_of_something_else_is_refused(tmp_path: Path, columns: dict, meta: dict) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 2)
    before = path.read_bytes()
    with pytest.raises(SampleFileError):
        samples.SampleWriter(path, columns, meta)
    assert path.read_bytes() == before


def test_text_is_cut_and_made_writable(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    writer = samples.SampleWriter(path, samples.BEATS, META)
    for detail in ("x" * 1000, "\udcff broken", "naïve ✓", ""):
        writer.append(beat=0, probe="p", sent_ns=0, received_ns=1, ok=0, detail=detail)
    writer.close()
    assert samples.texts(samples.read(path), "detail") == ["x" * 200, "? broken", "naïve ✓", ""]


def test_endless_new_words_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drillmark.samples.writer.WORDS_LIMIT", 10)
    path = tmp_path / "beats.dms"
    writer = samples.SampleWriter(path, samples.BEATS, META)
    for n in range(20):
        writer.append(beat=n, probe="p", sent_ns=0, received_ns=1, ok=0, detail=f"error {n}")
    writer.close()
    details = samples.texts(samples.read(path), "detail")
    assert details == [f"error {n}" for n in range(10)] + [layout.OTHER_WORD] * 10


def test_a_value_out_of_range_spoils_no_other_row(tmp_path: Path) -> None:
    path = tmp_path / "survivors.dms"
    writer = samples.SampleWriter(path, IDS, META)
    writer.append(id=1)
    with pytest.raises(struct.error):
        writer.append(id=1 << 70)
    with pytest.raises(ValueError, match="columns"):
        writer.append(id=1, other=2)
    writer.append(id=2)
    writer.close()
    assert samples.read(path)["id"].tolist() == [1, 2]


def test_rows_as_tuples_are_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drillmark.samples.writer.BLOCK_LIMIT_ROWS", 7)
    path = tmp_path / "beats.dms"
    writer = samples.SampleWriter(path, samples.BEATS, META)
    long = "x" * 300
    writer.append_rows((n, f"p{n % 3}", n * 2, n * 3, n % 2, long) for n in range(20))
    with pytest.raises(struct.error):
        writer.append_rows([(1, "p", 1 << 70, 0, 1, "")])
    writer.append(beat=20, probe="p2", sent_ns=40, received_ns=60, ok=0, detail=long)
    writer.close()
    table = samples.read(path)
    assert table["beat"].tolist() == list(range(21))
    assert table["received_ns"].tolist() == [n * 3 for n in range(21)]
    assert samples.texts(table, "probe") == [f"p{n % 3}" for n in range(21)]
    assert set(samples.texts(table, "detail")) == {"x" * 200}


def test_many_rows_at_once_and_what_is_learnt_later(tmp_path: Path) -> None:
    path = tmp_path / "survivors.dms"
    ids = np.arange(200_000, dtype=np.int64)
    writer = samples.SampleWriter(path, IDS, META)
    writer.append(id=-1)
    writer.append_many(id=ids)
    writer.note(reads=2, identity="same")
    writer.close()
    table = samples.read(path)
    assert np.array_equal(table["id"], np.concatenate([[-1], ids]))
    assert (table.meta["reads"], table.meta["identity"], table.closed) == (2, "same", True)


def test_a_full_disk_is_an_error_and_the_file_stays_whole(tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk: writes come back short, then fail.
    path = tmp_path / "survivors.dms"
    script = f"""
import resource, signal, sys
from pathlib import Path
from drillmark import samples
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
writer = samples.SampleWriter(Path({str(path)!r}), {{"id": "i8"}}, {{"run": "r1"}})
for n in range(100):
    writer.append(id=n)
writer.flush()
for n in range(100, 1000):
    writer.append(id=n)
try:
    writer.flush()
except OSError as error:
    assert len(samples.read(writer.path)) == 100 and not samples.read(writer.path).torn
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    writer.close()  # room again: the rows were kept
    sys.exit(error.errno)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == errno.EFBIG, done.stderr
    table = samples.read(path)
    assert table["id"].tolist() == list(range(1000))
    assert table.closed


def test_ten_million_rows_read_fast(tmp_path: Path) -> None:
    path = tmp_path / "survivors.dms"
    writer = samples.SampleWriter(path, IDS, META)
    writer.append_many(id=np.arange(10_000_000, dtype=np.int64))
    writer.close()
    before = os.times()
    table = samples.read(path)
    after = os.times()
    assert len(table) == 10_000_000
    assert (after.user + after.system) - (before.user + before.system) < 2.0  # measured: 0.1 s


def test_the_hash_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "beats.dms"
    beats(path, 3)
    first = samples.digest(path)
    assert len(first) == 64
    with path.open("ab") as file:
        file.write(b"x")
    assert samples.digest(path) != first
