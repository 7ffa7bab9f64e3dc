"""Asking Chaos Toolkit whether it accepts experiments and activities: all in one child, since each takes a second.

Must never perform an activity. The modules that activities name are imported, in that child.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from drillmark.model.entry import Status

_CHECK_SECONDS = 60.0

K = TypeVar("K")


def objections(
    experiments: Mapping[str, Any], activities: Mapping[K, dict[str, Any]]
) -> tuple[dict[str, list[str]], dict[K, list[str]]]:
    """What Chaos Toolkit says against each experiment and each activity; empty lists where nothing."""
    if not experiments and not activities:
        return {}, {}
    from drillmark.chaos import ActivityWorker  # noqa: PLC0415 - not needed where only texts are checked

    with tempfile.TemporaryDirectory(prefix="drillmark-") as temporary:
        folder = Path(temporary)
        # A place that is not there, so that nothing of what the check says lands in the workspace.
        with ActivityWorker(folder, {}, {}, log_path=folder / "check.log") as worker:
            by_path = {path: _ask(worker, "check", path, experiment=value) for path, value in experiments.items()}
            by_key = {
                key: _ask(worker, "check_activity", str(value.get("name")), checked=value)
                for key, value in activities.items()
            }
    return by_path, by_key


def _ask(worker: Any, operation: str, what: str, **fields: Any) -> list[str]:
    worker.request(operation, what, _CHECK_SECONDS, **fields)
    outcome = worker.wait()
    if outcome.status is not Status.SUCCEEDED:
        return [f"it could not be checked: {outcome.error}"]
    return [str(problem) for problem in outcome.output]
