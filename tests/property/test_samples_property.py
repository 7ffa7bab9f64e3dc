"""Sample files, cut or damaged anywhere: a prefix of whole rows, never an exception, never taken for whole."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from drillmark import samples
from drillmark.errors import SampleFileError
from drillmark.model.evidence import Table
from drillmark.samples import whole

Row = tuple[int, str, int, str, bool]

rows = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.text(max_size=12),
        st.integers(0, 255),
        st.text(alphabet="ab", max_size=2),
        st.booleans(),  # flush after it
    ),
    max_size=30,
)


def write(path: Path, content: list[Row], *, close: bool) -> None:
    writer = samples.SampleWriter(path, samples.BEATS, {"run": "r"})
    for number, probe, ok, detail, flush in content:
        writer.append(beat=number, probe=probe, sent_ns=number, received_ns=number, ok=ok, detail=detail)
        if flush:
            writer.flush()
    if close:
        writer.close()
    else:
        writer.flush()
        writer.abandon()


def as_rows(table: Table) -> list[tuple[int, str, int, str]]:
    return list(
        zip(
            table["beat"].tolist(),
            samples.texts(table, "probe"),
            table["ok"].tolist(),
            samples.texts(table, "detail"),
            strict=True,
        )
    )


@seed(20240)
@settings(max_examples=60, deadline=None)
@given(content=rows, close=st.booleans(), data=st.data())
def test_cut_anywhere(content: list[Row], close: bool, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "beats.dms"
        write(path, content, close=close)
        whole = path.read_bytes()
        written = [row[:4] for row in content]
        assert as_rows(samples.read(path)) == written
        assert samples.read(path).closed is close
        for cut in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=20)):
            path.write_bytes(whole[:cut])
            table = samples.read(path)
            found = as_rows(table)
            assert found == written[: len(found)]
            assert not table.closed
            # Going on heals it: what was whole stays, what comes is read.
        write(path, [(1, "later", 1, "later", True)], close=True)
        healed = samples.read(path)
        assert as_rows(healed) == [*found, (1, "later", 1, "later")]
        assert healed.closed


@seed(20241)
@settings(max_examples=60, deadline=None)
@given(content=rows, data=st.data())
def test_damaged_anywhere(content: list[Row], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "beats.dms"
        write(path, content, close=True)
        whole = path.read_bytes()
        header = whole.index(b"\n") + 1
        written = [row[:4] for row in content]
        place = data.draw(st.integers(header, len(whole) - 1))
        damaged = bytearray(whole)
        damaged[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(damaged)
        table = samples.read(path)
        found = as_rows(table)
        assert found == written[: len(found)]
        assert table.torn
        assert not table.closed


@seed(20242)
@settings(max_examples=40, deadline=None)
@given(content=rows, garbage=st.binary(max_size=200))
def test_garbage_behind_the_end(content: list[Row], garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "beats.dms"
        write(path, content, close=True)
        with path.open("ab") as file:
            file.write(garbage)
        table = samples.read(path)
        assert as_rows(table) == [row[:4] for row in content]
        assert table.torn is bool(garbage)


@seed(20243)
@settings(max_examples=40, deadline=None)
@given(content=rows, cuts=st.lists(st.integers(0, 5000), max_size=10))
def test_following_gives_each_row_once_however_the_file_grows(content: list[Row], cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "beats.dms"
        write(path, content, close=True)
        whole = path.read_bytes()
        tail = samples.Tail(path)
        offset = 0
        found: list[tuple[int, str, int, str]] = []
        beats: list[int] = []
        for cut in [*sorted(min(cut, len(whole)) for cut in cuts), len(whole)]:
            path.write_bytes(whole[:cut])
            found += as_rows(tail.read_new())
            table, offset = samples.read_from(path, offset)
            beats += np.asarray(table["beat"]).tolist()
        assert found == [row[:4] for row in content]
        assert beats == [row[0] for row in content]


@seed(20244)
@settings(max_examples=60, deadline=None)
@given(content=rows, close=st.booleans(), data=st.data())
def test_read_in_pieces_is_as_read_at_once(content: list[Row], close: bool, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "beats.dms"
        write(path, content, close=close)
        content_of_file = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            content_of_file[data.draw(st.integers(0, len(content_of_file) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content_of_file[: data.draw(st.integers(0, len(content_of_file)))])
        answers: list[Table | str] = []
        for read in (lambda: samples.Tail(path).read_new(), lambda: whole.read(path, data.draw(st.integers(1, 2000)))):
            try:
                answers.append(read())
            except SampleFileError as error:
                answers.append(str(error))
        first, second = answers
        if isinstance(first, str) or isinstance(second, str):
            assert first == second
            return
        for name, values in first.columns.items():
            assert values.dtype == second.columns[name].dtype
            assert values.tolist() == second.columns[name].tolist()
        assert (first.texts, first.meta, first.torn, first.closed) == (
            second.texts, second.meta, second.torn, second.closed,
        )  # fmt: skip
