"""What the performers share: the run's context, its pulse, and the children that carry out activities."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillmark import clock, runs
from drillmark.chaos.activities import ActivityOutcome, ActivityWorker
from drillmark.chaos.asking import CHECK_SECONDS, resolved_by
from drillmark.chaos.experiments import ExperimentChild
from drillmark.engine.context import Context
from drillmark.engine.pulse import Pulse
from drillmark.model import trace
from drillmark.model.evidence import Evidence
from drillmark.model.planned import PlannedActivity
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.undo import Child

if TYPE_CHECKING:
    from drillmark.chaos.launch import Process

_POLL_SECONDS = 0.05


@dataclass(slots=True)
class Hands:
    """A running engine's tools.

    Attributes:
        child: the experiment's child, as long as this process holds its pipe.
        guard: a guard that was started before the run began, and does not stand in U as yet.
    """

    context: Context
    pulse: Pulse
    worker: ActivityWorker | None = None
    child: ExperimentChild | None = None
    guard: Process | None = None

    def get_worker(self) -> ActivityWorker:
        """The warm child that runs activities one at a time; started, and written into U, on first use."""
        if self.worker is None:
            context = self.context
            self.worker = ActivityWorker(
                context.paths.directory,
                context.plan.configuration,
                context.plan.secrets,
                log_path=context.paths.chaos_log,
                variables=context.variables,
            )
            self.own_worker()
        return self.worker

    def own_worker(self) -> None:
        """Write the worker's pid into U, if it is another than the one there."""
        identity = self.worker.identity if self.worker else None
        if identity is not None:
            self.context.own(Child("worker", identity.pid, identity.start))

    def spawn_child(self) -> ExperimentChild:
        """Start the experiment's child, idle and without an experiment as yet, and write it into U."""
        context = self.context
        # An event log of an earlier child, in which nothing began, would be taken for this one's.
        context.paths.events.unlink(missing_ok=True)
        context.paths.loaded.unlink(missing_ok=True)
        folder = context.plan.bare.folder if context.plan.bare else ""
        child = ExperimentChild.spawn(context.paths.events, log_path=context.paths.chaos_log, folder=folder)
        self.child = child
        self.context.own(Child("chaos", child.identity.pid, child.identity.start))
        return child

    def run_activity(
        self,
        planned: PlannedActivity,
        *,
        timeout_seconds: float | None,
        attempt: int = 1,
        experiment: dict[str, Any] | None = None,
    ) -> ActivityOutcome:
        """Run one activity in the worker, ticking all the while.

        With `experiment` it sees that one's configuration and secrets, else the plan's. A time-out is enforced from
        outside: the worker's group is ended. Raises Interrupted likewise.
        """
        limits = [limit for limit in (timeout_seconds, planned.timeout_seconds) if limit is not None]
        worker = self.get_worker()
        worker.variables = dict(self.context.variables)
        own = experiment or {}
        worker.start(
            planned.activity,
            timeout_seconds=min(limits) if limits else None,
            attempt=attempt,
            configuration=own.get("configuration"),
            secrets=own.get("secrets"),
            traceparent=trace.under_way(self.context.entries) if trace.is_on(os.environ) else "",
        )
        self.own_worker()
        return self._await(worker)

    def ask_until(
        self,
        probe: PlannedActivity,
        seconds: float,
        *,
        until: Callable[[ActivityOutcome], bool],
        since: Stamp | None = None,
        experiment: dict[str, Any] | None = None,
    ) -> ActivityOutcome:
        """Ask a probe again and again until its outcome will do, or so long; returns the last one."""
        begin = since.monotonic_ns if since else clock.monotonic_ns()
        deadline = begin + round(seconds * NANOSECONDS)
        while True:
            left = max((deadline - clock.monotonic_ns()) / NANOSECONDS, 1.0)
            outcome = self.run_activity(probe, timeout_seconds=left, experiment=experiment)
            if until(outcome) or clock.monotonic_ns() >= deadline:
                return outcome
            self.pulse.wait(_POLL_SECONDS)

    def resolve(self, experiment: dict[str, Any]) -> dict[str, Any]:
        """The experiment with its configuration as it is now. Raises ChaosError."""
        worker = self.get_worker()
        worker.variables = dict(self.context.variables)
        worker.request("resolve", "resolve", CHECK_SECONDS, experiment=experiment)
        return resolved_by(experiment, self._await(worker))

    def _await(self, worker: ActivityWorker) -> ActivityOutcome:
        found: list[ActivityOutcome] = []

        def ended() -> bool:
            outcome = worker.poll()
            if outcome is not None:
                found.append(outcome)
            return outcome is not None

        try:
            self.pulse.wait(None, ended)
        except BaseException:
            worker.cancel()
            raise
        return found[0]

    def evidence(self) -> Evidence:
        """Everything recorded so far."""
        return runs.read_evidence(self.context.paths.directory, self.context.plan, self.context.entries)

    def close(self) -> None:
        """End the children whose pipes this process holds."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None
        if self.child is not None:
            self.child.kill()
            self.child.close()
            self.child = None
