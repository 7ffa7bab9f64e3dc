"""What a worker shows of itself while it works: `/metrics` and `/healthz`. Wires; decides nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drillmark.cli.beside import looking
from drillmark.cli.overdue_drills import Overdue
from drillmark.errors import DrillmarkError, UsageError

if TYPE_CHECKING:
    from drillmark.define.settings import Settings
    from drillmark.fleet.worker import Worker
    from drillmark.telling.health import Health
    from drillmark.telling.metrics import WorkerMetrics

_LOOK_SECONDS = 5.0
# Every file of the gap register is read for this, and an idle worker should stay idle.
_GAPS_SECONDS = 300.0
_SEVERITIES = ("high", "medium", "low")


@contextmanager
def shown(settings: Settings, worker: Worker, say: Callable[[str], None]) -> Generator[WorkerMetrics | None]:
    """Answer for as long as the block lasts. A port that is taken, or a missing extra, is said: drills matter more.

    Yields what is to hear of messages to channels; None where nothing is shown.
    """
    try:
        from drillmark.telling.following import Follower
        from drillmark.telling.health import Health
        from drillmark.telling.metrics import WorkerMetrics
        from drillmark.telling.server import Server
    except ModuleNotFoundError as error:
        say(f"no /metrics: {error.name} is not installed: pip install 'drillmark[telling]'")
        yield None
        return
    metrics, health = WorkerMetrics(), Health()
    metrics.expect(channel.name for channel in settings.notifications.channels)
    follower = Follower(metrics, worker.root)
    eyes = _Eyes(worker, metrics, health, say)

    def look() -> None:
        eyes.look()
        try:
            follower.look(worker.under_way())
            health.problem("journal", "")
        except DrillmarkError as error:
            health.problem("journal", str(error))

    try:
        server = Server(settings.metrics.listen, metrics, health)
    except UsageError as error:
        say(f"no /metrics: {error}")
        yield None
        return
    say(f"metrics and health at http://{server.address}")
    try:
        # The first at once, and the last for nobody.
        pauses = {"first_seconds": 0.0, "every_seconds": _LOOK_SECONDS, "last_seconds": 1.0}
        with looking("metrics", look, say, "what /metrics shows could not be renewed", **pauses):
            yield metrics
    finally:
        server.close()


class _Eyes:
    """What a worker sees of the calendar and of itself, at each look. What it cannot see is not shown."""

    def __init__(self, worker: Worker, metrics: WorkerMetrics, health: Health, say: Callable[[str], None]) -> None:
        self._worker = worker
        self._metrics = metrics
        self._health = health
        self._say = say
        self._under_way: list[str] = []
        self._gaps: dict[str, int] = {}
        self._gaps_at = -_GAPS_SECONDS
        self._overdue = Overdue(worker, say)

    def look(self) -> None:
        """Show it."""
        from drillmark.telling.metrics import Facts

        if self._worker.is_draining():
            self._health.drain()
        counted = self._counted()
        waiting, running = counted or (None, None)
        self._metrics.expect((), ((one.drill.id, one.drill.target) for one in self._worker.planned()))
        is_overdue = self._overdue.look() if counted else {}
        facts = Facts(waiting, running, is_overdue, self._worker.next_due(), self._open_gaps())
        if self._worker.may_begin():
            self._metrics.heartbeat(facts)
            self._health.heartbeat()
        else:
            self._metrics.show(facts)

    def _counted(self) -> tuple[int, int] | None:
        from sqlalchemy.exc import SQLAlchemyError

        from drillmark.fleet import seen
        from drillmark.fleet.database import short

        try:
            found = seen.waiting_and_running(self._worker.database)
        except SQLAlchemyError as error:
            self._health.problem("database", short(error))
            return None
        self._health.problem("database", "")
        return found

    def _open_gaps(self) -> dict[str, int]:
        """Severity -> how many are open; counted when a run of this worker began or ended, and now and then."""
        from drillmark import gaps

        under_way = self._worker.under_way()
        if under_way == self._under_way and time.monotonic() - self._gaps_at < _GAPS_SECONDS:
            return self._gaps
        self._under_way, self._gaps_at = under_way, time.monotonic()
        try:
            still_open = [one.gap.severity for one in gaps.read(self._worker.root) if one.gap.state == "open"]
            self._gaps = {severity: still_open.count(severity) for severity in _SEVERITIES}
        except DrillmarkError as error:
            self._gaps = {}
            self._say(f"open gaps are not counted: {error}")
        return self._gaps
