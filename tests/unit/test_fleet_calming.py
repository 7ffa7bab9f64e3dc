"""DBOS asks less often for what is not used: its own names for that are still there."""

from __future__ import annotations

from dbos import _scheduler, _workflow_commands
from dbos._dbos import _get_or_create_dbos_registry

from drillmark.fleet import calming


def test_every_name_of_dbos_that_is_set_exists_and_is_set(monkeypatch):
    for owner, name in ((_workflow_commands, calming.BACKGROUND), (_scheduler, calming.STARTUP)):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    queue = _get_or_create_dbos_registry().get_internal_queue()
    monkeypatch.setattr(queue, calming.POLLING, 1.0)
    assert calming.calm() == []
    assert queue.polling_interval_sec == calming.INTERNAL_QUEUE_SECONDS
    assert getattr(_workflow_commands, calming.BACKGROUND) == calming.BACKGROUND_SECONDS
    assert getattr(_scheduler, calming.STARTUP) == calming.STARTUP_SECONDS


def test_a_name_that_is_gone_is_left_alone(monkeypatch):
    monkeypatch.delattr(_workflow_commands, calming.BACKGROUND)
    assert calming.calm() == [calming.BACKGROUND]
    assert not hasattr(_workflow_commands, calming.BACKGROUND)
