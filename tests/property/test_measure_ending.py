"""The end of an outage, found over arrays, against the same found beat by beat, by the letter."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillmark.measure.outage import ending
from drillmark.measure.service.beats import FOREVER, Beats
from drillmark.measure.service.limits import Limits

PERIOD = 100
HOLD = 600
ABSENCE = PERIOD * 2.25
# One letter a slot: good, bad, not there.
STRIPS = st.text(alphabet="GGGGGGB.", min_size=1, max_size=40)


@pytest.fixture(scope="module", autouse=True)
def few_at_once():
    """So few starts at once that most strips have several lots of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ending, "_AT_ONCE", 3)
        yield


def beats_of(strip: str) -> Beats:
    sent = np.array([slot * PERIOD for slot, letter in enumerate(strip) if letter != "."], dtype=np.int64)
    good = np.array([letter == "G" for letter in strip if letter != "."], dtype=np.bool_)
    return Beats(
        first=sent,
        last=sent + 5,
        received=sent + 10,
        good=good,
        full=np.ones(len(sent), dtype=np.bool_),
        latency=np.full(len(sent), 10, dtype=np.int64),
        period_ns=PERIOD,
        slot_ns=PERIOD,
        timeout_ns=PERIOD,
        horizon=FOREVER,
        newest=len(strip) * PERIOD,
        present=sent,
    )


def holds(beats: Beats, begin: int, end: int, availability: float | None) -> bool:
    """Met, by the letter: nothing absent, and no more bad beats than are borne."""
    inside = [(int(at), bool(good)) for at, good in zip(beats.first, beats.good, strict=True) if begin <= at < end]
    if not inside:
        return False
    edges = [begin, *(at for at, _ in inside), end]
    if any(later - earlier > ABSENCE for earlier, later in pairwise(edges)):
        return False
    bad = sum(not good for _, good in inside)
    return bad == 0 if availability is None else bad <= (1 - availability) * len(inside) + 1e-9


def by_the_letter(beats: Beats, floor: int, end: int, availability: float | None) -> int | None:
    for at, good in zip(beats.first.tolist(), beats.good.tolist(), strict=True):
        if not good or at < floor or at + HOLD > end:
            continue
        if holds(beats, at, at + HOLD, availability) and holds(beats, at, end, availability):
            return at
    return None


@settings(deadline=None, max_examples=400)
@given(strip=STRIPS, floor=st.integers(0, 15), availability=st.sampled_from([None, 0.9, 0.7]))
def test_the_end_is_what_the_letter_says(strip: str, floor: int, availability: float | None):
    beats = beats_of(strip)
    end = len(strip) * PERIOD
    limits = Limits(availability, {}, None, None, throughput_is_default=False, loaded=False)
    found = ending.find(beats, None, limits, since_ns=0, floor_ns=floor * PERIOD, end_ns=end, hold_ns=HOLD)
    expected = by_the_letter(beats, floor * PERIOD, end, availability)
    assert (found.d and found.d[0]) == expected if expected is not None else found.d is None
    if found.c is not None and found.d is not None:
        assert found.c < found.d[0]


@settings(deadline=None, max_examples=400)
@given(strip=STRIPS, floor=st.integers(0, 15), availability=st.sampled_from([None, 0.9, 0.7]), data=st.data())
def test_whatever_was_absent_the_lower_edge_is_never_late(
    strip: str, floor: int, availability: float | None, data: st.DataObject
):
    """Filled in any way, a strip with holes never ends before the lower edge that the holes left."""
    filled = "".join(data.draw(st.sampled_from("GB")) if letter == "." else letter for letter in strip)
    end = len(strip) * PERIOD
    limits = Limits(availability, {}, None, None, throughput_is_default=False, loaded=False)
    holed = ending.find(beats_of(strip), None, limits, since_ns=0, floor_ns=floor * PERIOD, end_ns=end, hold_ns=HOLD)
    truth = by_the_letter(beats_of(filled), floor * PERIOD, end, availability)
    if truth is not None and holed.c is not None:
        assert holed.c < truth
