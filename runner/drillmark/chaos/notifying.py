"""Tells the channels of Chaos Toolkit's settings of a bare experiment, as `chaos run` does.

Imported in the experiment child alone, where there are channels. Must never be given the value of a secret that was
not in the experiment's own file.
"""

from __future__ import annotations

from typing import Any

from chaoslib.notification import RunFlowEvent, notify


def began(settings: dict[str, Any], experiment: dict[str, Any]) -> None:
    """The experiment is loaded."""
    notify(settings, RunFlowEvent.RunStarted, experiment)


def ended(settings: dict[str, Any], journal: dict[str, Any]) -> None:
    """It has ended so."""
    completed = journal.get("status") == "completed"
    notify(settings, RunFlowEvent.RunCompleted if completed else RunFlowEvent.RunFailed, journal)
    if journal.get("deviated"):
        notify(settings, RunFlowEvent.RunDeviated, journal)
