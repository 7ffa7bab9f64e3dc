"""The load of several workers as one: alive where all are, and as sure as their clocks are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from drillmark.measure.service import limits, load_parts
from drillmark.measure.service.limits import MET, MISSED, UNKNOWN, Limits
from drillmark.measure.timeline.frame import Frame, Span, UnmeasurableError
from drillmark.model.evidence import Evidence, LoadPart, Table
from rig import service as service_of
from rig.journal import BOOT, HOST, ORIGIN_NS, make_plan, ns, stamp, table

OTHER = {"host": "elsewhere", "boot": "boot-7"}
AHEAD_NS = ns(1234.5)  # how far the other machine's clock is ahead, in truth


def worker(
    number: int,
    begin: float = -10.0,
    end: float = 20.0,
    *,
    elsewhere: bool = False,
    fails_from: float = np.inf,
    **more: Any,
) -> LoadPart:
    requests = [(at, 0.03, at < fails_from) for at in np.arange(begin, end, 0.1).tolist()]
    loaded, users = service_of.load_tables(requests, begin, end, **more)
    if elsewhere:
        loaded = shifted(loaded, "start_ns")
        users = shifted(users, "at_ns")
    return LoadPart(number, loaded, users)


def shifted(found: Table, column: str) -> Table:
    return replace(found, columns=found.columns | {column: found[column] + AHEAD_NS}, meta=found.meta | OTHER)


def clocks(*rows: tuple[float, float, float]) -> Table:
    """(when asked, when answered in truth, when received), in seconds since I."""
    return table(
        {
            "worker": [2] * len(rows),
            "at_ns": [ORIGIN_NS + ns(at) + AHEAD_NS for _, at, _ in rows],
            "sent_ns": [ORIGIN_NS + ns(sent) for sent, _, _ in rows],
            "received_ns": [ORIGIN_NS + ns(received) for _, _, received in rows],
        }
    )


def evidence(*parts: LoadPart, compared: Table | None = None) -> Evidence:
    _, users = service_of.load_tables([], -10.0, 20.0)
    return Evidence(make_plan(load=True), (), load_users=users, load_parts=parts, load_clocks=compared)


def read(*parts: LoadPart, compared: Table | None = None, **more: Any):
    return load_parts.read(evidence(*parts, compared=compared), Frame(stamp(0.0), ns(0.001)), **more)


def windows(load: Any) -> list[tuple[float, float]]:
    return [(round(begin / 1e9, 3), round(end / 1e9, 3)) for begin, end in load.alive.tolist()]


def starts(load: Any) -> np.ndarray:
    return np.sort(np.concatenate([requests.start for requests, _ in load.pieces()]))


def test_the_requests_of_all_workers_are_counted_together():
    load = read(worker(1), worker(2))
    assert len(starts(load)) == 600
    assert load.counts(np.array([ns(0.0)]), np.array([ns(1.0)])).sent.tolist() == [20]
    assert windows(load) == [(-10.0, 20.0)]
    assert load.error == 0


def test_it_is_alive_only_where_every_worker_is():
    assert windows(read(worker(1, -10.0, 8.0), worker(2, -5.0, 20.0))) == [(-5.0, 8.0)]
    assert windows(read(worker(1, -10.0, -6.0), worker(2, -4.0, 20.0))) == []


def test_the_master_runs_no_users_and_need_not_vouch_for_them():
    late = replace(evidence(worker(1), worker(2)), load_users=service_of.load_tables([], 3.0, 4.0)[1])
    assert windows(load_parts.read(late, Frame(stamp(0.0), ns(0.001)))) == [(-10.0, 20.0)]


def test_from_a_workers_death_on_it_is_not_alive():
    died = ns(7.4)
    load = read(worker(1, died_at=7.2), worker(2), ended=[Span(died, died)])
    assert windows(load) == [(-10.0, 7.0)]
    assert load.lived(np.array([ns(-5.0)]), np.array([ns(6.9)]))[0]
    assert not load.lived(np.array([ns(5.0)]), np.array([ns(8.0)]))[0]


@pytest.mark.parametrize("part", [LoadPart(2, None, None), replace(worker(2), users=None)])
def test_a_worker_that_recorded_nothing_is_no_load(part):
    with pytest.raises(UnmeasurableError, match="worker 2 of the load recorded nothing"):
        read(worker(1), part)


def test_samples_that_are_not_whole_are_not_judged():
    with pytest.raises(UnmeasurableError, match="not whole"):
        read(worker(1), worker(2), whole=False)


def test_another_machines_stamps_are_brought_over_with_what_is_not_known_of_its_clock():
    compared = clocks((-5.0, -4.99, -4.96), (0.0, 0.03, 0.04), (5.0, 5.3, 6.0))  # the last answer was slow
    load = read(worker(1), worker(2, elsewhere=True), compared=compared)
    # 40 ms there and back: the middle is off by 10 ms at most here, and all is known to 20 ms.
    assert ns(0.02) <= load.error <= ns(0.031)
    true = np.sort(np.concatenate([np.arange(-10.0, 20.0, 0.1)] * 2))
    assert (np.abs(starts(load) - np.round(true * 1e9)) <= load.error).all()
    (begin, end) = windows(load)[0]
    assert begin >= -10.0
    assert end <= 20.0


def test_a_clock_that_drifts_widens_what_is_known():
    rows = [(at, at + 0.005 + 0.002 * at, at + 0.01) for at in (0.0, 1.0, 2.0)]
    steady = read(
        worker(1), worker(2, elsewhere=True), compared=clocks(*[(at, at + 0.005, at + 0.01) for at in range(3)])
    )
    assert read(worker(1), worker(2, elsewhere=True), compared=clocks(*rows)).error > steady.error


def test_another_machines_stamps_without_a_comparison_are_unknown():
    for compared in (None, clocks()):
        with pytest.raises(UnmeasurableError, match="another clock"):
            read(worker(1), worker(2, elsewhere=True), compared=compared)


def test_what_hangs_on_the_clocks_error_is_unknown():
    # Errors begin at 5.0 s; all stamps may be off by 0.5 s.
    load = replace(read(worker(1, fails_from=4.95), worker(2, fails_from=4.95)), error=ns(0.5))
    objective = Limits(None, {}, 0.0, None, throughput_is_default=False, loaded=True)
    begin = np.array([ns(0.0), ns(0.0), ns(0.0)])
    end = np.array([ns(4.4), ns(4.8), ns(6.0)])
    assert limits.load_holds(load, objective, begin, end).tolist() == [MET, UNKNOWN, MISSED]
    assert limits.load_holds(replace(load, error=0), objective, begin, end).tolist() == [MET, MET, MISSED]


def test_tables_of_this_machine_need_no_comparison():
    part = worker(2)
    assert part.requests is not None
    assert (part.requests.meta.get("host"), part.requests.meta.get("boot")) == (HOST, BOOT)
