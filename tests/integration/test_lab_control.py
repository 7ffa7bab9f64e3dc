"""The client of the lab's supervisor: one that has died is started again, by whoever needs it."""

from __future__ import annotations

import os
import signal

import pytest

from drillmark import lab as labs
from drillmark.lab import control
from waiting import until


@pytest.mark.lab
def test_a_supervisor_that_was_killed_is_started_again_and_keeps_what_was_held(lab, monkeypatch):
    made = lab()
    monkeypatch.setenv("DRILLMARK_LAB", made.directory)
    control.call(made.control, "POST", "/hold", {"cluster": made.primary})
    os.kill(made.supervisor.pid, signal.SIGKILL)
    until(lambda: labs.status(made.directory).state == "unsupervised", seconds=60)
    assert control.insist(made.control, "GET", "/status")["clusters"][made.primary]["held"]
    control.insist(made.control, "POST", "/release", {"cluster": made.primary})
    until(lambda: labs.status(made.directory).state == "up", seconds=60)


def test_without_a_lab_nothing_is_started(tmp_path, monkeypatch):
    monkeypatch.setenv("DRILLMARK_LAB", str(tmp_path))
    with pytest.raises(control.ControlError, match="does not answer"):
        control.insist(tmp_path / "control", "GET", "/status")
    assert list(tmp_path.iterdir()) == []
