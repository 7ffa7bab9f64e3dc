"""What our own runs used of an error budget: read from the journal, the same on every machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillmark import clock
from drillmark.engine.paths import WorkspacePaths
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind
from drillmark.model.stamp import NANOSECONDS
from drillmark.safety import own_runs

RUN = "20261128T000000Z-x-abcdef"


@pytest.mark.parametrize(
    ("upper_seconds", "expected_seconds"),
    [({"rta_upper_seconds": 4.2}, 4.2), ({"rta_upper_seconds": None}, 1740.0), ({}, 1740.0)],
)
def test_what_a_run_used_is_in_the_journal(tmp_path, upper_seconds, expected_seconds):
    """Where the RTA has no upper edge: all the time from the injection until the fault was proved gone."""
    store = open_store(WorkspacePaths(tmp_path))
    begun, now = clock.now(), None
    store.create(RunRow(RUN, "x", "t", f"reports/runs/{RUN}", 1, begun.wall_ns))
    conclude = {"effect": "conclude", "key": "", "attempt": 1}
    for kind, seconds, data in (
        (Kind.RUN_STARTED, 0, {"drill": "x", "target": "t"}),
        (Kind.INTENT, 60, {"effect": "inject", "key": "", "attempt": 1}),
        (Kind.OUTCOME, 61, {"effect": "inject", "key": "", "attempt": 1, "status": "succeeded"}),
        (Kind.UNDONE, 1800, {}),
        (Kind.INTENT, 1801, conclude),
        (Kind.OUTCOME, 1802, conclude | {"status": "succeeded"} | upper_seconds),
    ):
        stamp = replace(begun, wall_ns=begun.wall_ns + seconds * NANOSECONDS)
        now = store.append(now, run=RUN, epoch=1, kind=kind, stamp=stamp, data=data)
    try:
        assert own_runs.bad_seconds(store, "t", 86400.0) == pytest.approx(expected_seconds)
        assert own_runs.bad_seconds(store, "another", 86400.0) == 0
    finally:
        store.close()
