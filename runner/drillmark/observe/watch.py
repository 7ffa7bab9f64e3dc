"""Watches a drill's guards: probes that are asked all through it, and abort it when one fails for too long.

`python -m drillmark.observe.watch CONFIG.json`, outside the runner, so that it goes on while that is stopped or lost.
It writes what it saw (every change into `watch.jsonl`, every round into `children/guards.seen.json`), and asks for an
abort as a person would: by the run's abort file, which the runner obeys, and the dead-man's switch if the runner does
not. What cannot be asked is failing; it must never take silence for good, and touches nothing itself.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from typing import Any

import aiohttp

from drillmark import clock, files
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe import child
from drillmark.observe.answer import Answer, NotSentError, Probe
from drillmark.observe.foreign import PACE_SECONDS, ForeignProbe
from drillmark.observe.paced import make_probes

EVERY_SECONDS = 0.5
# How long an answer may take where the activity does not say; never much longer than the guard lets it fail.
ANSWER_SECONDS = 5.0
_SHORTEST_SECONDS = 1.0
_GRACE_SECONDS = 0.05


@dataclass(slots=True)
class Watched:
    """One guard and what is known of it. Times are monotonic nanoseconds, of sends."""

    name: str
    fails_for_ns: int
    failing_ns: int | None = None  # the first send since the last good answer that had none
    asked_ns: int = 0
    error: str = ""
    tripped: bool = False

    def answered(self, sent_ns: int, received_ns: int, answer: Answer) -> str:
        """Take in an answer; returns what changed: `failing`, `good`, `tripped`, or nothing."""
        self.asked_ns = sent_ns
        if answer.ok:
            changed = "good" if self.failing_ns is not None else ""
            self.failing_ns, self.error = None, ""
            return changed
        changed = "failing" if self.failing_ns is None else ""
        self.failing_ns = sent_ns if self.failing_ns is None else self.failing_ns
        self.error = answer.detail
        if not self.tripped and received_ns - self.failing_ns >= self.fails_for_ns:
            self.tripped = True
            return "tripped"
        return changed

    def as_json(self) -> dict[str, Any]:
        """What the runner reads."""
        return {"name": self.name, "asked_ns": self.asked_ns, "failing_ns": self.failing_ns, "error": self.error}


class Watch:
    """Asks every guard again and again, and writes down what came of it."""

    def __init__(self, me: child.Child, guards: list[Watched]) -> None:
        self._me = me
        self._guards = guards
        self._ready = False
        self._wanted = me.run_dir / "abort"
        self._log = me.run_dir / "watch.jsonl"
        self._seen = me.run_dir / "children" / f"{me.role}.seen.json"

    async def guard(self, guard: Watched, probe: Probe, timeout_seconds: float, stop: asyncio.Event) -> None:
        """Ask one guard until told to stop. Raises OSError where it cannot be written down."""
        every = PACE_SECONDS if isinstance(probe, ForeignProbe) else EVERY_SECONDS
        while not stop.is_set():
            sent_ns = clock.monotonic_ns()
            answer = await _ask(probe, timeout_seconds)
            if stop.is_set():
                return
            received_ns = clock.monotonic_ns()
            changed = guard.answered(sent_ns, received_ns, answer)
            self._write_down(guard, changed, received_ns)
            rest = every - (clock.monotonic_ns() - sent_ns) / NANOSECONDS
            await _rest(stop, max(rest, every / 10))

    def _write_down(self, guard: Watched, changed: str, now_ns: int) -> None:
        if changed:
            failing_ns = guard.failing_ns
            seconds = None if failing_ns is None else (now_ns - failing_ns) / NANOSECONDS
            line = {"what": changed, "guard": guard.name, "stamp": clock.now().as_json()}
            files.append_line_durably(
                self._log, json.dumps(line | {"error": guard.error, "failing_for_seconds": seconds})
            )
            if changed == "tripped" and not self._wanted.exists():
                reason = f"guard {guard.name} has failed for {seconds:.1f} s: {guard.error}"
                files.write_durably(self._wanted, json.dumps({"by": "guard", "reason": reason, "guard": guard.name}))
        seen = {
            "at_ns": clock.monotonic_ns(),
            "boot": clock.boot_id(),
            "guards": [one.as_json() for one in self._guards],
        }
        # Not synced: it is read while this boot lasts, and soon replaced.
        temporary = self._seen.with_suffix(".tmp")
        temporary.write_text(json.dumps(seen), encoding="utf-8")
        temporary.replace(self._seen)
        if not self._ready and all(one.asked_ns for one in self._guards):
            self._ready = True
            self._me.report("ready")


async def _ask(probe: Probe, timeout_seconds: float) -> Answer:
    """The answer, within its time. Whatever keeps it from being asked counts as a failure."""
    asking = asyncio.ensure_future(probe.ask())
    # Waited for from outside: a probe that takes no notice of being cancelled does not hold this up.
    await asyncio.wait({asking}, timeout=timeout_seconds)
    if not asking.done():
        # Where this process itself was held up, the answer may be there and not yet taken in.
        await asyncio.wait({asking}, timeout=_GRACE_SECONDS)
    if not asking.done():
        asking.cancel()
        asking.add_done_callback(_forget)
        return Answer(ok=False, detail=f"no answer within {timeout_seconds:g} s")
    try:
        return asking.result()
    except NotSentError as error:
        return Answer(ok=False, detail=f"it could not be asked: {error}")
    except Exception as error:  # noqa: BLE001  # a probe may raise anything; it was not good then
        return Answer(ok=False, detail=type(error).__name__)


def _forget(task: asyncio.Future[Answer]) -> None:
    if not task.cancelled():
        task.exception()


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def answer_seconds(fails_for_seconds: float, declared_seconds: float | None) -> float:
    """How long a guard's probe may take: what it declares, and never much longer than it may fail."""
    return min(declared_seconds or ANSWER_SECONDS, max(fails_for_seconds, _SHORTEST_SECONDS))


async def watch(me: child.Child) -> None:
    """Watch as the config says, until SIGTERM or the deadline. Raises OSError, DrillmarkError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.call_later(0.0 if me.stop_requested else me.remaining_seconds, stop.set)
    connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        watched: list[tuple[Watched, Probe, float]] = []
        for each in me.config["guards"]:
            fails_for, name = float(each["fails_for_seconds"]), str(each["name"])
            seconds = answer_seconds(fails_for, each.get("timeout_seconds"))
            (paced,) = make_probes(
                [{"name": name, "activity": each["activity"]}], me.configuration, me.secrets,
                session=session, period_ns=round(EVERY_SECONDS * NANOSECONDS), timeout_seconds=seconds,
            )  # fmt: skip
            watched.append((Watched(name, round(fails_for * NANOSECONDS)), paced.probe, seconds))
        watching = Watch(me, [guard for guard, _probe, _seconds in watched])
        # One that cannot be written down ends all: the runner sees this process gone, and aborts.
        async with asyncio.TaskGroup() as group:
            for guard, probe, seconds in watched:
                group.create_task(watching.guard(guard, probe, seconds, stop))
        for _guard, probe, _seconds in watched:
            await probe.close()


def _work(me: child.Child) -> None:
    try:
        asyncio.run(watch(me))
    except ExceptionGroup as errors:
        raise child.ChildError(f"cannot write down what was seen: {errors.exceptions[0]}") from errors


def main(arguments: list[str]) -> int:
    """Entry point of the process; returns its exit code."""
    return child.run(arguments, _work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
