"""Measuring piece by piece gives what all rows at once would: percentiles, counts, rounds of probes, bins of a chart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillmark import samples
from drillmark.errors import SampleFileError
from drillmark.measure.service import ranks, rounds
from drillmark.measure.service.beats import FOREVER
from drillmark.measure.service.load import Load, Recorded
from drillmark.model import evidence
from drillmark.report.series import load as shown
from drillmark.report.series.grid import Grid, quantiles
from page_runs import write_table
from rig.journal import table

SECOND = 1_000_000_000
QUICK = settings(deadline=None, max_examples=200)
NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 1 << 54) | st.integers(0, 5) | st.just(3_000_000)


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Pieces of a few rows, so that a few dozen rows fall into many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "PIECE_ROWS", 7)
        yield


@QUICK
@given(
    values=st.lists(NUMBERS, min_size=1, max_size=80),
    shares=st.lists(st.integers(1, 100), min_size=1, max_size=4),
    piece=st.integers(1, 20),
    kept=st.integers(1, 6),
    bins=st.sampled_from([2, 3, 64, 1 << 16]),
)
def test_a_percentile_is_numpys_whatever_the_pieces(
    values: list[int], shares: list[int], piece: int, kept: int, bins: int
):
    whole = np.array(values, dtype=np.int64)
    pieces = [whole[at : at + piece] for at in range(0, len(whole), piece)]
    found = ranks.at(
        lambda: pieces, len(whole), [ranks.nearest(share, len(whole)) for share in shares], kept=kept, bins=bins
    )
    assert found == np.percentile(whole, shares, method="inverted_cdf").tolist()


REQUESTS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 40) | st.just(FOREVER + 5), st.booleans()), max_size=60
)


def columns_of(rows: list[tuple[int, int, bool]]) -> np.ndarray:
    """Start, latency and success of these requests; there may be none."""
    return np.array(rows, dtype=np.int64).reshape(-1, 3).T


def loaded(*parts: list[tuple[int, int, bool]], limits: tuple[int, ...] = ()) -> Load:
    recorded = []
    for number, rows in enumerate(parts):
        start, latency, ok = columns_of(rows)
        columns = {"start_ns": start + number, "latency_ns": latency, "ok": ok}
        recorded.append(Recorded(table(columns), number))
    return Load(tuple(recorded), np.array([[-FOREVER, FOREVER]]), limits_ns=limits)


@QUICK
@given(
    first=REQUESTS, second=REQUESTS, edges=st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 120)), max_size=9)
)
def test_windows_are_counted_exactly(first: Any, second: Any, edges: list[tuple[int, int]]):
    load, rows = loaded(first, second, limits=(10, 25)), [*first, *second]
    windows = [(min(edge), max(edge)) for edge in edges]
    begin, end = (np.array([window[at] for window in windows], dtype=np.int64) for at in (0, 1))
    for _ in range(2):  # the second time by what is remembered of each piece
        found = load.counts(begin, end)
        for place, (low, high) in enumerate(windows):
            inside = [(latency, ok) for at, latency, ok in rows if low <= at < high]
            assert found.sent[place] == len(inside)
            assert found.failed[place] == sum(not ok for _, ok in inside)
            assert found.completed[place] == sum(ok and low <= at + took < high for at, took, ok in rows)
            assert {limit: counts[place] for limit, counts in found.within.items()} == {
                limit: sum(ok and latency <= limit for latency, ok in inside) for limit in (10, 25)
            }
            if inside:
                _holds_percentiles(load, low, high, [took if ok else FOREVER for took, ok in inside])


def _holds_percentiles(load: Load, low: int, high: int, latencies: list[int]) -> None:
    expected = np.percentile(np.minimum(latencies, FOREVER), (50, 95, 99), method="inverted_cdf").tolist()
    longest = max((latency for latency in latencies if latency < FOREVER), default=0)
    assert load.percentiles(low, high, (50, 95, 99)) == [
        (longest, None) if value >= FOREVER else (value, value) for value in expected
    ]


@QUICK
@given(
    first=REQUESTS, second=REQUESTS, begin=st.integers(-10, 30), length=st.integers(1, 60), enough=st.integers(0, 30)
)
def test_a_chart_shows_what_all_requests_at_once_would(first: Any, second: Any, begin: int, length: int, enough: int):
    rows = [(at * SECOND, took * SECOND, ok) for at, took, ok in [*first, *second] if took < FOREVER]
    grid = Grid(begin * SECOND, (begin + length) * SECOND, 3 * SECOND, -(-length // 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shown, "_ENOUGH", enough)
        made = shown.rows(loaded(rows[: len(rows) // 2 + 1], rows[-1:]), grid)
    start, latency, ok = columns_of([*rows[: len(rows) // 2 + 1], *rows[-1:]])
    ok = ok != 0
    place = grid.place(start)
    inside = (place >= 0) & (place < grid.count)
    shares = quantiles(
        place[inside], np.where(ok, latency, FOREVER)[inside], grid.count, (0.5, 0.95, 0.99), never=FOREVER
    )
    assert [[row[name] for row in made] for name in ("p50", "p95", "p99")] == shares
    seconds = np.diff(np.append(grid.starts, grid.end)) / SECOND
    assert [row["ok"] for row in made] == np.round(grid.counts((start + latency)[ok]) / seconds, 2).tolist()
    assert [row["errors"] for row in made] == np.round(grid.counts(start[~ok]) / seconds, 2).tolist()


@QUICK
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 99), st.integers(0, 30), st.booleans()),
        min_size=1,
        max_size=70,
    )
)
def test_rounds_are_those_of_all_rows_at_once(rows: list[tuple[int, int, int, int, bool]]):
    beat, probe, sent, took, ok = zip(*rows, strict=True)
    received = [at + each for at, each in zip(sent, took, strict=True)]
    found = table({"beat": beat, "probe": probe, "sent_ns": sent, "received_ns": received, "ok": ok})
    in_pieces = rounds.read(found, 10, 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "PIECE_ROWS", 1000)
        at_once = rounds.read(found, 10, 20)
    for name in rounds.Rounds.__slots__:
        assert getattr(in_pieces, name).tolist() == getattr(at_once, name).tolist()


@QUICK
@given(
    blocks=st.lists(st.integers(1, 40), max_size=6),
    piece=st.integers(1, 3000),
    cut=st.floats(0, 1),
    close=st.booleans(),
)
def test_a_file_read_in_pieces_is_the_file_read_whole(
    tmp_path_factory, blocks: list[int], piece: int, cut: float, close: bool
):
    path = tmp_path_factory.mktemp("pieces") / "load.dms"
    writer = samples.SampleWriter(path, samples.LOAD, {"run": "r"})
    for number, rows in enumerate(blocks):
        for row in range(rows):
            writer.append(
                start_ns=number * 50 - row, latency_ns=row, name=f"n{row % 3}", ok=row % 2, error=f"e{number}"
            )
        writer.flush()
    writer.close() if close else writer.abandon()
    path.write_bytes(path.read_bytes()[: round(cut * path.stat().st_size)])
    whole, found = samples.read(path), samples.stored(path, piece)
    with path.open("ab") as file:
        file.write(b"what is written later")  # does not change what was opened
    assert (len(found), found.meta, found.texts) == (len(whole), whole.meta, whole.texts)
    assert (found.torn, found.closed) == (whole.torn, whole.closed)
    for name in whole.columns:
        parts = [found.piece(number, name)[name].tolist() for number in range(found.pieces)]
        assert all(parts)
        assert [value for part in parts for value in part] == whole[name].tolist()
        if name.endswith("_ns"):
            assert [found.span(number, name) for number in range(found.pieces)] == [
                (min(each), max(each)) for each in parts
            ]


def test_rows_of_words_that_no_block_brought_end_the_file(tmp_path):
    path = tmp_path / "load.dms"
    columns = {"start_ns": [1, 2, 3], "latency_ns": [1] * 3, "name": [0, 5, 0], "ok": [1] * 3, "error": [0] * 3}
    write_table(path, table(columns))
    whole, found = samples.read(path), samples.stored(path)
    assert len(whole) == len(found) == 1
    assert (found.torn, found.closed) == (whole.torn, whole.closed) == (True, False)
    assert found.piece(0, "start_ns")["start_ns"].tolist() == [1]


def test_a_file_that_was_cut_or_overwritten_after_it_was_opened_is_told(tmp_path):
    path = tmp_path / "load.dms"
    columns = {"start_ns": [1, 2, 3], "latency_ns": [1] * 3, "name": [0] * 3, "ok": [1] * 3, "error": [0] * 3}
    write_table(path, table(columns))
    found, whole = samples.stored(path), path.read_bytes()
    changed = [whole[:size] for size in range(len(whole))]
    changed += [whole[:30] + bytes([value]) * (len(whole) - 30) for value in (0, 10, 255)]
    for left in changed:
        path.write_bytes(left)
        with pytest.raises(SampleFileError, match=r"load\.dms was changed"):
            found.piece(0, "start_ns")
