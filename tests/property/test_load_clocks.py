"""Requests that other machines stamped: what is said of a window holds wherever each of them was in truth.

Held against brute force: each request is shifted by every step up to the clocks' error, each by itself, and what the window
then holds is judged by the plain definition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drillmark.measure import scene
from drillmark.measure.service import limits, slo, steady
from drillmark.measure.service.beats import FOREVER
from drillmark.measure.service.limits import MET, MISSED, UNKNOWN, Limits
from drillmark.measure.service.load import Load, Recorded
from drillmark.measure.timeline.facts import Facts
from drillmark.model.stamp import Interval
from rig.journal import make_plan, table
from rig.plain import drill, steady_load

MS = 1_000_000
QUICK = settings(deadline=None, max_examples=150)
LATENCY_MS = 4
NOTHING = Limits(None, {}, None, None, throughput_is_default=False, loaded=True)
SHARES = (50, 95, 99)
Request = tuple[int, int, bool]  # sent, waited, answered rightly; in ms

REQUESTS = st.lists(st.tuples(st.integers(-4, 15), st.integers(0, 9), st.booleans()), max_size=8)
WINDOWS = st.tuples(st.just(0), st.integers(3, 12))
ERRORS = st.integers(0, 3)
OBJECTIVES = st.one_of(
    st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0]).map(lambda ratio: replace(NOTHING, error_ratio=ratio)),
    st.sampled_from(SHARES).map(lambda share: replace(NOTHING, latency_ns={share: LATENCY_MS * MS})),
    st.sampled_from([60.0, 125.0, 300.0, 1000.0]).map(lambda rate: replace(NOTHING, throughput_per_second=rate)),
)


def loaded(requests: list[Request], error: int) -> Load:
    sent, waited, ok = np.array(requests, dtype=np.int64).reshape(-1, 3).T
    rows = table({"start_ns": sent * MS, "latency_ns": waited * MS, "ok": ok})
    return Load((Recorded(rows, 0),), np.array([[-FOREVER, FOREVER]]), error * MS, (LATENCY_MS * MS,))


@dataclass(frozen=True)
class Case:
    """What a window may hold: whether each request sent in it was answered, and in how long; how many were done in it."""

    sent: tuple[tuple[bool, int], ...]
    done: int
    length: int

    @property
    def failed(self) -> int:
        return sum(not ok for ok, _ in self.sent)

    def percentile(self, share: int) -> int | None:
        """In ms; None: never answered. By nearest rank."""
        rank = -(-share * len(self.sent) // 100)
        return sorted((not ok, waited) for ok, waited in self.sent)[rank - 1][1] if rank <= self._right else None

    @property
    def _right(self) -> int:
        return len(self.sent) - self.failed

    def answer(self, one: Limits) -> int:
        missed = False
        if one.error_ratio is not None and self.sent:
            missed |= Fraction(self.failed, len(self.sent)) > Fraction(str(one.error_ratio))
        for share in one.latency_ns if self.sent else ():
            percentile = self.percentile(share)
            missed |= percentile is None or percentile > LATENCY_MS
        if one.throughput_per_second is not None:
            missed |= self.done < Fraction(one.throughput_per_second) * self.length // 1000
        return MISSED if missed else MET if self.sent else UNKNOWN


def cases(requests: list[Request], error: int, window: tuple[int, int]) -> set[Case]:
    begin, end = window
    places = [
        {
            (begin <= sent + off < end, ok and begin <= sent + waited + off < end)
            for off in range(-error, error + 1)
        }
        for sent, waited, ok in requests
    ]  # fmt: skip
    return {
        Case(
            tuple(sorted((ok, waited) for (_, waited, ok), (sent, _) in zip(requests, each, strict=True) if sent)),
            sum(done for _, done in each),
            end - begin,
        )
        for each in product(*places)
    }


def said(load: Load, one: Limits, window: tuple[int, int]) -> int:
    begin, end = window
    return int(limits.load_holds(load, one, np.array([begin * MS]), np.array([end * MS]))[0])


@settings(QUICK, max_examples=600)
@given(requests=REQUESTS, error=ERRORS, window=WINDOWS, one=OBJECTIVES)
def test_an_objective_is_met_or_missed_where_it_is_so_in_every_case(
    requests: list[Request], error: int, window: tuple[int, int], one: Limits
):
    answers = {case.answer(one) for case in cases(requests, error, window)}
    assert said(loaded(requests, error), one, window) == (answers.pop() if len(answers) == 1 else UNKNOWN)


@QUICK
@given(requests=REQUESTS, error=ERRORS, window=WINDOWS, first=OBJECTIVES, second=OBJECTIVES)
def test_of_several_objectives_nothing_certain_is_wrong_in_any_case(
    requests: list[Request], error: int, window: tuple[int, int], first: Limits, second: Limits
):
    stated = {name: getattr(second, name) for name in ("error_ratio", "throughput_per_second", "latency_ns")}
    both = replace(first, **{name: value for name, value in stated.items() if value})
    answer = said(loaded(requests, error), both, window)
    assert answer == UNKNOWN or {case.answer(both) for case in cases(requests, error, window)} == {answer}


@QUICK
@given(counts=st.tuples(*[st.integers(0, 6)] * 4))
def test_a_share_of_the_baselines_throughput_is_as_sure_as_the_baseline(counts: tuple[int, int, int, int]):
    baseline, window, error = (-60, -50), (0, 10), 2
    # In the midst of the baseline, at its end, in the midst of the window, at its end.
    load = [(at, 0, True) for at, count in zip((-55, -51, 5, 9), counts, strict=True) for _ in range(count)]
    found = limits.limits_of(make_plan(load=True), loaded(load, error), tuple(edge * MS for edge in baseline))
    before = {case.done for case in cases(load, error, baseline)}
    met = {
        case.done >= Fraction(9, 10) * done * case.length // (baseline[1] - baseline[0])
        for case in cases(load, error, window)
        for done in before
    }
    sent = counts[2] > 0  # surely
    expected = (MET if sent else UNKNOWN) if met == {True} else MISSED if met == {False} else UNKNOWN
    assert said(loaded(load, error), found, window) == expected


@cache
def facts() -> Facts:
    return scene.build(drill(load=steady_load()).evidence, live=False).facts


@QUICK
@given(requests=REQUESTS, error=ERRORS, window=WINDOWS, one=OBJECTIVES)
def test_what_was_observed_holds_every_case_and_does_not_contradict_the_answer(
    requests: list[Request], error: int, window: tuple[int, int], one: Limits
):
    begin, end = window
    phase = slo.Window("soak", begin * MS, end * MS, judged=True)
    found = slo.phase(facts(), phase, None, loaded(requests, error), one).indicators
    observed = {name: indicator.observed for name, indicator in found.items()}
    for case in cases(requests, error, window):
        assert holds(observed["throughput"], 1000 * case.done / case.length)
        assert observed["error_rate"] is None or holds(observed["error_rate"], case.failed / len(case.sent))
        for share in SHARES if observed["latency.p50"] else ():
            assert holds(observed[f"latency.p{share}"], case.percentile(share), 1000)
    for indicator in found.values():
        if indicator.observed is not None and indicator.objective is not None and indicator.name != "throughput":
            within = indicator.observed.hi is not None and indicator.observed.hi <= indicator.objective
            assert indicator.met in ((True,) if within else (False, None))
            assert indicator.met is not False or not error or indicator.observed.lo >= indicator.objective
    assert error or all(each is None or each.hi in (each.lo, None) for each in observed.values())


def holds(observed: Interval | None, value: float | None, scale: int = 1) -> bool:
    """Whether an interval contains a value; None: it is never reached."""
    assert observed is not None
    if value is None:
        return observed.hi is None
    return observed.lo <= value / scale and (observed.hi is None or value / scale <= observed.hi)


def test_errors_in_the_last_milliseconds_are_not_lost_between_two_clocks():
    # Stamped 15 ms late: the failures seem to lie behind the window, and many good requests in it that were before it.
    true = [*((-30, 1, True) for _ in range(400)), *((at, 1, True) for at in range(20, 960, 10))]
    true += [(995, 1, False)] * 8
    stamped = [(sent + 15, waited, ok) for sent, waited, ok in true]
    most = replace(NOTHING, error_ratio=0.05)
    assert said(loaded(true, 0), most, (0, 1000)) == MISSED
    assert said(loaded(stamped, 20), most, (0, 1000)) == UNKNOWN
    assert said(loaded(stamped, 20), most, (40, 950)) == MET
    phase = slo.phase(facts(), slo.Window("soak", 0, 1000 * MS, judged=True), None, loaded(stamped, 20), most)
    assert phase.indicators["error_rate"].observed == Interval(0.0, 8 / 102)  # in truth it is the second
    assert phase.indicators["error_rate"].reason == "the clocks of the load's workers leave it open"
    met, reason = steady.judge(None, loaded(stamped, 20), most, begin_ns=0, end_ns=1000 * MS, hold_ns=500 * MS)
    assert met is None
    assert "the clocks of its workers leave it open" in reason
