"""A recovery step that is cut short says whether it was by the rest of the recovery's deadline."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from drillmark import clock
from drillmark.chaos.activities import ActivityOutcome
from drillmark.engine import activities
from drillmark.model.entry import Effect, Status
from drillmark.model.stamp import NANOSECONDS


@pytest.mark.parametrize(("own_seconds", "named"), [(None, True), (60.0, True), (2.0, False)])
def test_the_rest_of_the_deadline_is_named_where_it_was_the_limit(monkeypatch, own_seconds, named):
    said: list[str] = []
    limits: list[float] = []

    def run(_planned, *, timeout_seconds, attempt):
        assert attempt == 1
        limits.append(timeout_seconds)
        stamp = clock.now()
        return ActivityOutcome("restore", Status.TIMED_OUT, None, None, "it was killed", stamp, stamp)

    context = SimpleNamespace(
        plan=SimpleNamespace(phases=SimpleNamespace(recover_deadline_seconds=30.0)),
        entries=(),
        performing=nullcontext,
        intent=lambda *_: None,
        outcome=lambda *_, error, **__: said.append(error),
    )
    planned = SimpleNamespace(timeout_seconds=own_seconds)
    monkeypatch.setattr(activities, "activity_of", lambda *_: planned)
    monkeypatch.setattr(activities, "effect_began_ns", lambda _: clock.monotonic_ns() - 20 * NANOSECONDS)
    decision = SimpleNamespace(effect=Effect.RECOVER, key="0:restore", attempt=1)
    activities.recover(SimpleNamespace(context=context, run_activity=run), decision)
    assert 0 < limits[0] <= 10.0
    assert ("that was the rest of phases.recover.deadline, 30 s from the fault's effect" in said[0]) is named
