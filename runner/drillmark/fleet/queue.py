"""DBOS in the fleet: one heartbeat for all, and a queue for each worker that brings what it was given, once.

A drill is one workflow with one step. The step returns an outcome as JSON and never raises; whatever became of the
workflow, our tables and the journal say what became of the drill. Must never ask DBOS to recover or resume anything.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID, WorkflowSerializationFormat

from drillmark.fleet import calming
from drillmark.fleet.admitting import Queued
from drillmark.fleet.database import Database
from drillmark.fleet.serializer import JsonSerializer, refuse_pickles

# Constant: DBOS strands what another version queued. Formats have versions of their own.
APPLICATION_VERSION = "1"
APPLICATION = "drillmark"
HEARTBEAT = "drillmark-heartbeat"
# DBOS: the lower the number, the sooner. Ours: the higher, 0 to 100.
_LOWEST_PRIORITY = 101


class Told(TypedDict):
    """What a step returns."""

    ended: str


@dataclass(slots=True)
class FleetQueue:
    """DBOS, launched in this process for one worker. One for each process.

    Attributes:
        heartbeat: called at every heartbeat that this worker got, of which the fleet has one at a time.
        perform: called with occurrence and turn for each drill that this worker was given; returns how it ended.
    """

    database: Database
    worker: str
    slots: int
    heartbeat: Callable[[], None]
    perform: Callable[[str, int], str]
    every_seconds: int = 10
    poll_seconds: float = 1.5
    _drill: Any = field(default=None, init=False)

    @property
    def name(self) -> str:
        """This worker's queue."""
        return queue_of(self.worker)

    def launch(self) -> None:
        """Start DBOS: its threads, its tables, the heartbeat's schedule."""
        refuse_pickles()
        for name in ("dbos", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self.database.dbos_url,
            "application_version": APPLICATION_VERSION,
            # Never `local`, DBOS's default: a second process of that name begins again what the first is at.
            "executor_id": self.worker,
            "serializer": JsonSerializer(),
            "log_level": "ERROR",
            "console_log_level": "ERROR",
            "sys_db_pool_size": 5,
            "scheduler_polling_interval_sec": 30.0,
            # DBOS's streams and events, which are not used, would be looked for a hundred times a second.
            "notification_coalesce_sec": 1.0,
        }
        DBOS(config=config)
        calming.calm()
        portable = WorkflowSerializationFormat.PORTABLE

        @DBOS.step(name="drillmark.look")
        def look() -> Told:
            self.heartbeat()
            return {"ended": "looked"}

        @DBOS.workflow(name="drillmark.heartbeat", serialization_type=portable)
        def heartbeat(_at: Any, _context: Any) -> None:
            look()

        @DBOS.step(name="drillmark.engine")
        def engine(occurrence: str, turn: int) -> Told:
            return {"ended": self.perform(occurrence, turn)}

        @DBOS.workflow(name="drillmark.drill", serialization_type=portable)
        def drill(occurrence: str, turn: int) -> Told:
            return engine(occurrence, turn)

        self._drill = drill
        DBOS.listen_queues([self.name])
        DBOS.launch()
        DBOS.register_queue(
            self.name,
            worker_concurrency=self.slots,
            polling_interval_sec=self.poll_seconds,
            on_conflict="always_update",
        )
        DBOS.apply_schedules(
            [{"schedule_name": HEARTBEAT, "workflow_fn": heartbeat, "schedule": f"*/{self.every_seconds} * * * * *"}]
        )

    def put(self, queued: Queued) -> None:
        """Queue a drill for its worker. The same one again is the same one."""
        queue = DBOS.retrieve_queue(queue_of(queued.worker))
        if queue is None:
            return  # its worker has left since; it is given to another
        with SetWorkflowID(queued.name), SetEnqueueOptions(priority=_LOWEST_PRIORITY - queued.priority):
            queue.enqueue(self._drill, queued.occurrence, queued.turn)

    def forget(self, worker: str) -> None:
        """Take the queue of a worker that is gone away, and cancel what it left: others have it under a new turn."""
        begun = DBOS.list_workflows(executor_id=[worker], status=["PENDING"], load_input=False, load_output=False)
        queued = DBOS.list_workflows(
            queue_name=queue_of(worker), status=["ENQUEUED"], load_input=False, load_output=False
        )
        for workflow in [*begun, *queued]:
            DBOS.cancel_workflow(workflow.workflow_id)
        DBOS.delete_queue(queue_of(worker))

    def sweep(self, before: datetime) -> None:
        """Delete what was over by then: a heartbeat in ten seconds for ever would fill any disk.

        Drills too. What became of them stands in our tables; one that was put here again would find its turn over.
        """
        old = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"], limit=500, end_time=before.isoformat(),
            load_input=False, load_output=False,
        )  # fmt: skip
        if old:
            DBOS.delete_workflows([workflow.workflow_id for workflow in old])

    def close(self) -> None:
        """Stop DBOS's threads."""
        DBOS.destroy(workflow_completion_timeout_sec=0)


def queue_of(worker: str) -> str:
    """The queue of a worker."""
    return "worker-" + re.sub(r"[^a-z0-9.-]+", "-", worker.lower())
