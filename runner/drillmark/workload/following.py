"""A worker's life: it joins the master, runs the users it is given, records what they do, and ends with the rest.

Imports Locust, which patches the standard library for gevent: only in a process that exists for the load.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import locust
from locust.exception import RPCError, StopUser
from locust.runners import WorkerRunner

from drillmark import clock, samples
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe.child import Child, ChildError
from drillmark.workload import locustfile, words
from drillmark.workload.exits import catch_exits
from drillmark.workload.local import FIRST_REQUEST_SECONDS, FLUSH_SECONDS, STOP_SECONDS, USERS_PERIOD_NS
from drillmark.workload.recorder import Recorder

_JOIN_SECONDS = 60.0


class Follower:
    """One worker. `index` 0: the master gives it one, and gets the bytes of its files."""

    def __init__(self, me: Child, mask: Callable[[str], str], *, index: int = 0, parent: int = 0) -> None:
        self._me = me
        self._parent = parent
        self._elsewhere = index == 0
        self._path = Path(me.config["locustfile"])
        self._index = index
        self._end = False
        self._exit = ""
        self._user_error = ""
        self._begun_ns = 0
        self._welcome = False
        self._heard_ns = clock.monotonic_ns()
        self._sent = dict.fromkeys(words.FILES, 0)
        meta = {"run": me.run, "worker": index}
        self._requests = samples.SampleWriter(me.samples(self._name("load")), samples.LOAD, meta)
        self._users = samples.SampleWriter(
            me.samples(self._name("load-users")), samples.LOAD_USERS, meta | {"period_ns": NANOSECONDS}
        )
        self._recorder = Recorder(self._requests, mask)

    def run(self) -> None:
        """Until the end. Raises ChildError where the load ended by itself, OSError (disk full, say)."""
        # Before the user's file adds its own: a listener there may stop the ones that come after it.
        locust.events.request.add_listener(self._recorder.on_request)
        locust.events.user_error.add_listener(self._on_user_error)
        config = self._me.config
        environment = locustfile.environment(
            locustfile.load(self._path),
            self._path,
            users=int(config.get("users") or 1),
            spawn_rate_per_second=float(config.get("spawn_rate_per_second") or 1.0),
            host=config.get("host"),
        )
        runner = self._join(environment, str(config["master_host"]), int(config["master_port"]))
        catch_exits(self._on_exit)
        gc.collect()
        gc.freeze()
        error = ""
        try:
            environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
            self._record(runner)
            self._users.append(at_ns=clock.monotonic_ns(), users=0)
        except ChildError as problem:
            error = str(problem)
            raise
        finally:
            _end_users(runner)
            self._close(runner, error)

    def _join(self, environment: Any, host: str, port: int) -> WorkerRunner:
        seconds = float(self._me.config.get("join_seconds") or _JOIN_SECONDS)
        timeout = gevent.Timeout(min(seconds, self._me.remaining_seconds))
        try:
            with timeout:
                runner = environment.create_worker_runner(host, port)
                runner.client.socket.linger = words.LINGER_MILLISECONDS
                runner.register_message(words.WELCOME, self._on_welcome)
                runner.register_message(words.PING, lambda msg, **_more: self._on_ping(runner, msg))
                runner.register_message(words.END, self._on_end)
                hello = {"index": self._index, "host": clock.host(), "boot": clock.boot_id(), "pid": os.getpid()}
                runner.send_message(words.HELLO, hello)
                while not self._welcome and not self._end:
                    gevent.sleep(FLUSH_SECONDS)
        except gevent.Timeout as error:
            if error is not timeout:
                raise
            raise ChildError(f"the load's master did not answer at {host}:{port} within {seconds:g} s") from None
        except (ConnectionError, SystemExit) as error:
            raise ChildError(f"cannot join the load's master at {host}:{port}: {error}") from error
        return runner

    def _record(self, runner: WorkerRunner) -> None:
        next_count_ns = clock.monotonic_ns()
        told = started = False
        while not self._over():
            now = clock.monotonic_ns()
            if not started and runner.user_count > 0:
                started, self._begun_ns = True, now
            if started and now >= next_count_ns:
                self._users.append(at_ns=now, users=runner.user_count)
                self._users.flush()
                next_count_ns += USERS_PERIOD_NS * (1 + (now - next_count_ns) // USERS_PERIOD_NS)
            self._recorder.flush()
            self._ship(runner)
            if not told and self._recorder.requests:
                told = True
                runner.send_message(words.FIRST, {"index": self._index})
            self._look(runner, started=started)
            gevent.sleep(FLUSH_SECONDS)

    def _over(self) -> bool:
        return self._end or self._me.stop_requested or self._me.remaining_seconds <= 0

    def _look(self, runner: WorkerRunner, *, started: bool) -> None:
        because = f"; the last error of a user: {self._user_error}" if self._user_error else ""
        silent_seconds = (clock.monotonic_ns() - self._heard_ns) / NANOSECONDS
        if self._exit:
            raise ChildError(f"{self._path.name}: a user called {self._exit}")
        if self._parent and os.getppid() != self._parent:
            raise ChildError("the load's master is gone")
        if silent_seconds > words.MASTER_SILENT_SECONDS:
            raise ChildError(f"the load's master has been silent for {silent_seconds:.0f} s")
        requestless = self._begun_ns and not self._recorder.requests
        if requestless and clock.monotonic_ns() - self._begun_ns > FIRST_REQUEST_SECONDS * NANOSECONDS:
            raise ChildError(f"{self._path.name}: its users made no request{because}")
        if started and (runner.user_count == 0 or runner.state == "stopped"):
            raise ChildError(f"{self._path.name}: every user of this worker has stopped by itself{because}")

    def _ship(self, runner: WorkerRunner) -> None:
        if not self._elsewhere:
            return
        for kind in words.FILES:
            path = self._me.samples(self._name(kind))
            with path.open("rb") as file:
                file.seek(self._sent[kind])
                while data := file.read(words.CHUNK_BYTES):
                    runner.send_message(words.BYTES, {"kind": kind, "at": self._sent[kind], "bytes": data})
                    self._sent[kind] += len(data)

    def _close(self, runner: WorkerRunner, error: str) -> None:
        self._recorder.flush()
        if not error:
            self._requests.close()
            self._users.close()
        with suppress(RPCError):  # the master may be gone, which is no reason to stay
            self._ship(runner)
            runner.send_message(words.DONE, {"index": self._index, "error": self._me.redactor.text(error)})
        gevent.sleep(FLUSH_SECONDS)  # what was sent leaves the process before it ends

    def _name(self, kind: str) -> str:
        # A worker elsewhere does not know its number yet; the master does.
        return kind if self._elsewhere else words.file_name(kind, self._index)

    def _on_welcome(self, msg: Any, **_more: Any) -> None:
        self._index = int(msg.data["index"])
        self._heard_ns = clock.monotonic_ns()
        if self._elsewhere and not self._welcome:
            for writer in (self._requests, self._users):
                writer.note(run=str(msg.data["run"]), worker=self._index)
            self._me.deadline_ns = self._heard_ns + round(float(msg.data["seconds"]) * NANOSECONDS)
            # The kernel ends this process even if its own loop hangs.
            signal.setitimer(signal.ITIMER_REAL, self._me.remaining_seconds + words.MASTER_SILENT_SECONDS)
        self._welcome = True

    def _on_ping(self, runner: WorkerRunner, msg: Any) -> None:
        self._heard_ns = clock.monotonic_ns()
        runner.send_message(words.PONG, {"sent_ns": msg.data["sent_ns"], "at_ns": self._heard_ns})

    def _on_end(self, **_more: Any) -> None:
        self._end = True

    def _on_exit(self, code: Any) -> None:
        self._exit = f"sys.exit({code})"

    def _on_user_error(self, exception: BaseException, tb: Any, **_more: Any) -> None:
        if not isinstance(exception, StopUser):
            self._user_error = f"{locustfile.place_of(tb, self._path)}: {type(exception).__name__}: {exception}"


def _end_users(runner: WorkerRunner) -> None:
    # What a user's own on_stop does must not hold the end up.
    timeout = gevent.Timeout(STOP_SECONDS)
    try:
        with timeout:
            runner.stop()
    except gevent.Timeout as error:
        if error is not timeout:
            raise
