"""The master of a load in several processes or on several machines: waits for its workers, and watches them.

It runs no users and records no requests: each worker writes its own files (those elsewhere send their bytes). What
it sees of their end goes into `children/load.events.jsonl`. Must never take a load for whole of which a worker is gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import MasterRunner

from drillmark import clock, files, samples
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe.child import Child, ChildError
from drillmark.workload import words
from drillmark.workload.gathering import Gathering
from drillmark.workload.local import FIRST_REQUEST_SECONDS, FLUSH_SECONDS, STOP_SECONDS, USERS_PERIOD_NS
from drillmark.workload.own_workers import OwnWorkers

_HELLO_SECONDS = 120.0
_FIRST_SECONDS = 3 * FIRST_REQUEST_SECONDS
_DONE_SECONDS = 5.0
_SILENT_NS = 5 * NANOSECONDS
_ERROR_CHARACTERS = 300


@dataclass(slots=True)
class Worker:
    """What is known of one worker. `heard_ns` is when it last answered; `gone` says why it is no more."""

    index: int
    heard_ns: int
    first: bool = False
    done: bool = False
    gone: str = ""


class Leader:
    """The master's side. `own` workers on this machine, or `wanted` ones that come from elsewhere."""

    def __init__(self, me: Child, environment: Environment, *, host: str, port: int, own: int, wanted: int) -> None:
        self._me = me
        self._environment = environment
        self._wanted = own or wanted
        self._workers: dict[str, Worker] = {}
        self._next_ns = 0
        self._ending = False
        self._gathering = None if own else Gathering(me)
        self._users = samples.SampleWriter(
            me.samples("load-users"), samples.LOAD_USERS, {"run": me.run, "period_ns": NANOSECONDS}
        )
        try:
            self._runner: MasterRunner = environment.create_master_runner(host, port)
        except (RPCError, SystemExit, OSError) as error:
            raise ChildError(f"the load's master cannot listen on {host}:{port}: {error}") from error
        self._runner.server.socket.linger = words.LINGER_MILLISECONDS
        for name, listener in {
            words.HELLO: self._on_hello,
            words.FIRST: self._on_first,
            words.BYTES: self._on_bytes,
            words.PONG: self._on_pong,
            words.DONE: self._on_done,
        }.items():
            self._runner.register_message(name, listener)
        self._own = OwnWorkers(me, own, host, int(self._runner.server.port))

    def run(
        self,
        *,
        users: int,
        spawn_rate_per_second: float,
        stop: Callable[[], bool],
        on_first_request: Callable[[], None],
    ) -> None:
        """Lead until `stop` is true. Raises ChildError where workers do not come or all are gone, OSError."""
        try:
            self._environment.events.init.fire(environment=self._environment, runner=self._runner, web_ui=None)
            self._wait(lambda: len(self._workers) >= self._wanted, _HELLO_SECONDS, stop, "joined")
            gevent.spawn(self._runner.start, users, spawn_rate_per_second)
            self._wait(
                lambda: all(worker.first for worker in self._workers.values()), _FIRST_SECONDS, stop, "requested"
            )
            if not stop():
                self._next_ns = 0
                self._turn()
                on_first_request()
            while not stop():
                self._turn()
        finally:
            self._end()
        self._users.append(at_ns=clock.monotonic_ns(), users=0)
        self._users.close()

    def _wait(self, reached: Callable[[], bool], seconds: float, stop: Callable[[], bool], what: str) -> None:
        deadline_ns = clock.monotonic_ns() + round(seconds * NANOSECONDS)
        while not reached() and not stop():
            self._turn()
            gone = next((worker for worker in self._workers.values() if worker.gone), None)
            if gone is not None:
                raise ChildError(f"worker {gone.index} of the load: {gone.gone}")
            if clock.monotonic_ns() > deadline_ns:
                count = (
                    sum(worker.first for worker in self._workers.values())
                    if what == "requested"
                    else len(self._workers)
                )
                raise ChildError(f"{count} of {self._wanted} workers of the load {what} within {seconds:g} s")

    def _turn(self) -> None:
        """One look at everything, then a short sleep."""
        now = clock.monotonic_ns()
        if now >= self._next_ns:
            self._next_ns = now - now % USERS_PERIOD_NS + USERS_PERIOD_NS
            self._runner.send_message(words.PING, {"sent_ns": clock.monotonic_ns()})
            if any(worker.first for worker in self._workers.values()):
                self._users.append(at_ns=now, users=self._runner.user_count)
                self._users.flush()
        for index, why in self._own.gone().items():
            self._miss(next((worker for worker in self._workers.values() if worker.index == index), None), index, why)
        for worker in self._workers.values():
            if now - worker.heard_ns > _SILENT_NS:
                self._miss(worker, worker.index, f"it has been silent for {_SILENT_NS // NANOSECONDS} s")
        if self._workers and all(worker.gone for worker in self._workers.values()):
            raise ChildError(
                f"every worker of the load is gone; the last: {next(reversed(self._workers.values())).gone}"
            )
        gevent.sleep(FLUSH_SECONDS)

    def _miss(self, worker: Worker | None, index: int, why: str) -> None:
        if worker is None:
            raise ChildError(f"worker {index} of the load: {why}")
        if worker.gone:
            return
        worker.gone = why[:_ERROR_CHARACTERS]
        line = {"what": "load_worker_died", "worker": index, "error": worker.gone, "stamp": clock.now().as_json()}
        files.append_line_durably(self._me.run_dir / "children" / "load.events.jsonl", json.dumps(line))

    def _end(self) -> None:
        """Tell every worker to end, wait for their last words, and leave none of ours behind."""
        self._ending = True
        try:
            self._runner.send_message(words.END)
            deadline_ns = clock.monotonic_ns() + round(_DONE_SECONDS * NANOSECONDS)
            while clock.monotonic_ns() < deadline_ns and not all(
                worker.done or worker.gone for worker in self._workers.values()
            ):
                gevent.sleep(FLUSH_SECONDS)
        finally:
            self._own.end()
            gevent.spawn(self._runner.quit).join(STOP_SECONDS)
            if self._gathering is not None:
                self._gathering.close()

    def _on_hello(self, msg: Any, **_more: Any) -> None:
        told, node = dict(msg.data or {}), str(msg.node_id)
        known = self._workers.get(node)
        index = int(told.get("index") or 0) or (known.index if known else len(self._workers) + 1)
        if known is None and index > self._wanted:
            self._runner.send_message(words.END, client_id=node)  # one too many: it would run unrecorded users
            return
        self._workers.setdefault(node, Worker(index, clock.monotonic_ns()))
        welcome = {"index": index, "seconds": self._me.remaining_seconds, "run": self._me.run}
        self._runner.send_message(words.WELCOME, welcome, client_id=node)

    def _on_first(self, msg: Any, **_more: Any) -> None:
        if worker := self._workers.get(str(msg.node_id)):
            worker.first = True

    def _on_pong(self, msg: Any, **_more: Any) -> None:
        received_ns = clock.monotonic_ns()
        if worker := self._workers.get(str(msg.node_id)):
            worker.heard_ns = received_ns
            if self._gathering is not None:
                self._gathering.clock(worker.index, int(msg.data["sent_ns"]), int(msg.data["at_ns"]), received_ns)

    def _on_bytes(self, msg: Any, **_more: Any) -> None:
        worker = self._workers.get(str(msg.node_id))
        if worker is None or self._gathering is None:
            return
        problem = self._gathering.take(worker.index, dict(msg.data))
        if problem:
            self._miss(worker, worker.index, problem)

    def _on_done(self, msg: Any, **_more: Any) -> None:
        if worker := self._workers.get(str(msg.node_id)):
            worker.done = True
            if not self._ending and not self._me.stop_requested and self._me.remaining_seconds > 0:
                self._miss(worker, worker.index, str(msg.data.get("error") or "it ended by itself"))
