"""What a worker shows of itself while it works: `/metrics` and `/healthz`. Wires; decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drillmark.errors import DrillmarkError, UsageError

if TYPE_CHECKING:
    from drillmark.define.settings import Settings
    from drillmark.fleet.worker import Worker

_LOOK_SECONDS = 5.0


@contextmanager
def shown(settings: Settings, worker: Worker, say: Callable[[str], None]) -> Generator[None]:
    """Answer for as long as the block lasts. A port that is taken, or a missing extra, is said: drills matter more."""
    try:
        from drillmark.telling.following import Follower
        from drillmark.telling.health import Health
        from drillmark.telling.metrics import Facts, WorkerMetrics
        from drillmark.telling.server import Server
    except ModuleNotFoundError as error:
        say(f"no /metrics: {error.name} is not installed: pip install 'drillmark[telling]'")
        yield
        return
    metrics, health = WorkerMetrics(), Health()
    follower = Follower(metrics, worker.root)
    over = threading.Event()

    def look() -> None:
        while True:
            if worker.may_begin():
                metrics.heartbeat(Facts(running=len(worker.under_way())))
                health.heartbeat()
            try:
                follower.look(worker.under_way())
                health.problem("journal", "")
            except DrillmarkError as error:
                health.problem("journal", str(error))
            if over.wait(_LOOK_SECONDS):
                return

    try:
        server = Server(settings.metrics.listen, metrics, health)
    except UsageError as error:
        say(f"no /metrics: {error}")
        yield
        return
    thread = threading.Thread(target=look, name="drillmark-look", daemon=True)
    thread.start()
    say(f"metrics and health at http://{server.address}")
    try:
        yield
    finally:
        over.set()
        server.close()
