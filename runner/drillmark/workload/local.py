"""Runs Locust's users in this process, and records what they do until told to stop.

Users that all stop by themselves, a runner that the file stopped, and a `sys.exit` in a task are failures: a load
that ended without being told to is no load. Must never stop recording while users run.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING

from drillmark import clock
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe.child import ChildError
from drillmark.samples import SampleWriter
from drillmark.workload.exits import catch_exits
from drillmark.workload.locustfile import place_of
from drillmark.workload.recorder import Recorder

FLUSH_SECONDS = 0.2
USERS_PERIOD_NS = NANOSECONDS
STOP_SECONDS = 3.0
FIRST_REQUEST_SECONDS = 15.0
_ALIVE = {STATE_INIT, STATE_SPAWNING, STATE_RUNNING}


class LocalLoad:
    """Users of one environment, and the count of those that live. The recorder is a listener already."""

    def __init__(self, environment: Environment, recorder: Recorder, users: SampleWriter, path: Path) -> None:
        self._environment = environment
        self._recorder = recorder
        self._users = users
        self._path = path
        self._user_error = ""
        self._spawned = False
        self._exit = ""
        self._runner = environment.create_local_runner()
        events = environment.events
        events.user_error.add_listener(self._on_user_error)
        events.spawning_complete.add_listener(self._on_spawned)

    def run(
        self,
        *,
        users: int,
        spawn_rate_per_second: float,
        stop: Callable[[], bool],
        on_first_request: Callable[[], None],
    ) -> None:
        """Load until `stop` is true. Raises ChildError where the load ended by itself, OSError (disk full, say)."""
        catch_exits(self._on_exit)
        # What is loaded by now stays; the collector need not look through it again while requests are timed.
        gc.collect()
        gc.freeze()
        try:
            self._environment.events.init.fire(environment=self._environment, runner=self._runner, web_ui=None)
            self._runner.start(users, spawn_rate_per_second)
            self._record(stop, on_first_request)
        finally:
            self._end_users()
            self._recorder.flush()
        # Only a load that was told to end says so.
        self._users.append(at_ns=clock.monotonic_ns(), users=0)

    def _record(self, stop: Callable[[], bool], on_first_request: Callable[[], None]) -> None:
        begun_ns = clock.monotonic_ns()
        next_count_ns = begun_ns
        told = False
        while not stop():
            now = clock.monotonic_ns()
            if now >= next_count_ns:
                self._users.append(at_ns=now, users=self._runner.user_count)
                self._users.flush()
                next_count_ns += USERS_PERIOD_NS * (1 + (now - next_count_ns) // USERS_PERIOD_NS)
            self._recorder.flush()
            if not told and self._recorder.requests:
                told = True
                on_first_request()
            self._look(now - begun_ns, requested=told)
            gevent.sleep(FLUSH_SECONDS)

    def _look(self, since_ns: int, *, requested: bool) -> None:
        because = f"; the last error of a user: {self._user_error}" if self._user_error else ""
        if self._exit:
            raise ChildError(f"{self._path.name}: a user called {self._exit}")
        if self._runner.state not in _ALIVE:
            raise ChildError(f"{self._path.name}: the file itself stopped the load{because}")
        if self._spawned and self._runner.user_count == 0:
            raise ChildError(f"{self._path.name}: every user has stopped by itself{because}")
        if not requested and since_ns > FIRST_REQUEST_SECONDS * NANOSECONDS:
            raise ChildError(f"{self._path.name}: its users made no request{because}")

    def _end_users(self) -> None:
        # What a user's own on_stop does must not hold the end up.
        timeout = gevent.Timeout(STOP_SECONDS)
        try:
            with timeout:
                self._runner.quit()
                self._environment.events.quitting.fire(environment=self._environment, reverse=True)
        except gevent.Timeout as error:
            if error is not timeout:
                raise

    def _on_exit(self, code: Any) -> None:
        self._exit = f"sys.exit({code})"

    def _on_spawned(self, **_more: Any) -> None:
        self._spawned = True

    def _on_user_error(self, exception: BaseException, tb: Any, **_more: Any) -> None:
        if not isinstance(exception, StopUser):
            self._user_error = f"{place_of(tb, self._path)}: {type(exception).__name__}: {exception}"
