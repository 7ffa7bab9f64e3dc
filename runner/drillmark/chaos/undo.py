"""Runs the rollbacks that a child could not, or did not: after a crash, for the engine and for the guard.

Works from what stands in the undo file alone: the experiment, its configuration resolved before the fault. Must never
stop at a rollback that fails, nor need journal, plan or runner.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from drillmark import clock
from drillmark.chaos.activities import ActivityOutcome, ActivityWorker
from drillmark.chaos.events import Event, Phase, What
from drillmark.chaos.layout import dereference, name_of, timeout_seconds
from drillmark.model.entry import Status
from drillmark.undo import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from drillmark.undo import Origin, Undoable

DEFAULT_TIMEOUT_SECONDS = 300.0
# What a rollback may take that says nothing of its time. `chaos run` would wait for ever.
ROLLBACK_SECONDS = 60.0
BARE_ROLLBACK_SECONDS = 3600.0


def begun(events: Sequence[Event]) -> bool:
    """Whether an event log shows that the experiment's method began any activity.

    The child begins none whose start is not on disk in its log, so a log without one proves that nothing began.
    """
    return any(event.event == What.ACTIVITY_STARTED and event.phase == Phase.METHOD for event in events)


def done(events: Sequence[Event]) -> set[int]:
    """Places of the rollbacks that an event log shows as succeeded."""
    return {
        event.index
        for event in events
        if event.event == What.ACTIVITY_ENDED and event.phase == Phase.ROLLBACKS and event.status == Status.SUCCEEDED
    }


def waived(events: Sequence[Event]) -> bool:
    """Whether the experiment came to its end and was told not to be undone then."""
    return any(event.event == What.ROLLBACKS_WAIVED for event in events)


def seconds_each(undoable: Undoable) -> float:
    """What a rollback of it may take at least, whoever runs it: the child, the engine, the guard, `resume`."""
    return BARE_ROLLBACK_SECONDS if undoable.bare else ROLLBACK_SECONDS


def limit_seconds(experiment: Mapping[str, Any], *, timeout_seconds_each: float) -> float:
    """How long all rollbacks may take together: each what it declares, at least `timeout_seconds_each`."""
    whole = dict(experiment)
    activities = [dereference(whole, listed) for listed in _rollbacks(whole) if isinstance(listed, dict)]
    return sum(max(timeout_seconds_each, timeout_seconds(one or {}) or 0.0) for one in activities)


def perform_undoable(
    undoable: Undoable,
    skip: AbstractSet[int],
    *,
    run_dir: Path,
    on_outcome: Callable[[int, ActivityOutcome], None] | None = None,
) -> list[ActivityOutcome]:
    """`perform`, as it stands in the undo file."""
    return perform(
        undoable.experiment,
        skip,
        run_dir=run_dir,
        timeout_seconds_each=seconds_each(undoable),
        on_outcome=on_outcome,
        variables=undoable.variables,
        origin=undoable.origin,
    )


def undo_all(
    undoables: Sequence[Undoable], *, run_dir: Path, finished: AbstractSet[int] = frozenset()
) -> list[ActivityOutcome]:
    """Run the rollbacks of all of them, the last begun first; not those in `finished` (places in each list)."""
    outcomes: list[ActivityOutcome] = []
    for undoable in reversed(undoables):
        outcomes += perform_undoable(undoable, finished, run_dir=run_dir)
    return outcomes


def failures(outcomes: Sequence[ActivityOutcome]) -> list[str]:
    """Each rollback that did not succeed, with the reason."""
    return [f"{one.name}: {one.error or one.status}" for one in outcomes if one.status != Status.SUCCEEDED]


def perform(
    experiment: Mapping[str, Any],
    skip: AbstractSet[int],
    *,
    run_dir: Path,
    timeout_seconds_each: float = DEFAULT_TIMEOUT_SECONDS,
    on_outcome: Callable[[int, ActivityOutcome], None] | None = None,
    on_begin: Callable[[int, str], None] | None = None,
    variables: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    origin: Origin = NOWHERE,
) -> list[ActivityOutcome]:
    """Run every rollback not in `skip` (places in the list), in file order, each in a child and within its time.

    A rollback may take as long as it declares itself, at least `timeout_seconds_each`. One that fails, hangs, or
    refers to nothing is an outcome like any other, and the next one runs. Configuration and secrets that cannot be
    loaded are left out: a rollback that does not need them still works. Controls take no part. `origin` is the
    experiment's (see `Undoable`).
    """
    whole = dict(experiment)
    outcomes: list[ActivityOutcome] = []
    worker: ActivityWorker | None = None
    try:
        for index, listed in enumerate(_rollbacks(whole)):
            if index in skip:
                continue
            if not isinstance(listed, dict):
                listed = {"ref": str(listed)[:200]}  # noqa: PLW2901 - told as what it is: nothing that can be run
            if on_begin is not None:
                on_begin(index, name_of(listed))
            activity = dereference(whole, listed)
            if activity is None:
                outcome = _dangling(listed)
            else:
                worker = worker or ActivityWorker(
                    run_dir,
                    whole.get("configuration") or {},
                    whole.get("secrets") or {},
                    log_path=run_dir / "chaos" / "undo.log",
                    variables=variables,
                    environment=environment,
                    lenient=True,
                    origin=origin,
                )
                limit = max(timeout_seconds_each, timeout_seconds(activity) or 0.0)
                outcome = worker.run(activity, timeout_seconds=limit)
            outcomes.append(outcome)
            if on_outcome is not None:
                on_outcome(index, outcome)
    finally:
        if worker is not None:
            worker.close()
    return outcomes


def _rollbacks(experiment: Mapping[str, Any]) -> list[Any]:
    """The list of rollbacks, whatever stands in it; a forged undo file may hold anything."""
    found = experiment.get("rollbacks")
    return cast("list[Any]", found) if isinstance(found, list) else []


def _dangling(activity: Mapping[str, Any]) -> ActivityOutcome:
    now = clock.now()
    error = f"it refers to an activity '{activity.get('ref')}' that does not exist"
    return ActivityOutcome(name_of(dict(activity)), Status.FAILED, None, None, error, now, now)
