"""What chaoslib's own runner needs to play a prepared experiment, and what it says of rollbacks and of its end.

Imported in the experiment child alone. Must never decide whether an undo runs: `running` does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import chaoslib.run
from chaoslib.run import initialize_run_journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillmark.chaos.preparing import Prepared
    from drillmark.chaos.recording import Recorder


class OurRunner(chaoslib.run.Runner):
    """chaoslib's runner, configured beforehand, without its signal handlers: signals are the parent's business."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__(prepared.strategy, prepared.schedule)
        self._prepared = prepared

    def play(self) -> None:
        """Play the experiment to its end. Raises what chaoslib lets out."""
        prepared = self._prepared
        self._run(
            prepared.strategy,
            prepared.schedule,
            prepared.experiment,
            initialize_run_journal(prepared.experiment),
            prepared.settled.configuration,
            prepared.settled.secrets,
            prepared.settings,
            self.event_registry,
        )


class AfterControls(chaoslib.run.RunEventHandler):
    """Calls `check` once the controls are configured."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def running(self, *_arguments: Any, **_named: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Called after the controls were configured, before anything else."""
        self._check()


def plays(strategy: str, journal: dict[str, Any]) -> bool:
    """Whether chaoslib itself would play the rollbacks now."""
    match strategy:
        case "never":
            return False
        case "deviated":
            return bool(journal["deviated"])
        case "default":
            return journal["status"] not in ("failed", "interrupted")
        case _:
            return True


def no_record(activity: dict[str, Any]) -> dict[str, Any]:
    """Chaoslib's record of an activity that it did not even begin to record."""
    now = datetime.now(UTC).isoformat()
    return {"activity": activity.copy(), "output": None, "start": now, "end": now, "duration": 0.0}


def registry_of(recorder: Recorder) -> chaoslib.run.EventHandlerRegistry:
    """What tells the recorder, and nobody else."""
    registry = chaoslib.run.EventHandlerRegistry()
    registry.register(recorder)
    return registry
