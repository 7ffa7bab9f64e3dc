"""The same in real time: a real HTTP server whose life is scripted, and the real prober, a process of its own.

The server answers by the state that its script gives for the instant at which a request arrives; the script is in
the monotonic clock that all processes of this machine share.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from drillmark import clock
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence, Table
from drillmark.model.measurement import Measurements
from drillmark.model.stamp import Stamp
from observe_children import Child
from rig.journal import SECOND, Journal, make_plan, ns
from rig.service import Service
from waiting import until

HOLD, PERIOD, TIMEOUT = 1.5, 0.1, 1.5
GOOD = b'{"source": "database"}'
KINDS = ("down", "flapping", "relapse", "late", "none", "switch_only", "stopped", "killed")
FAILURES = ("refused", "timeout", "slow", "error_page", "status")


@dataclass(slots=True)
class Story:
    """One scripted outage. Times in seconds since its I."""

    kind: str
    service: Service
    disaster: float
    effect: float
    restore_start: float
    last_begun: float
    switched: float
    last_ended: float
    soak_end: float
    stopped: tuple[float, float] | None = None  # the prober gets no time; for good if it ends later than the soak
    origin: Stamp | None = None

    @property
    def restored(self) -> float:
        return max(self.switched, self.service.last_down())

    @property
    def rta(self) -> float:
        return self.restored - self.disaster

    def since(self) -> float:
        """Now, in seconds since I."""
        assert self.origin is not None
        return (clock.monotonic_ns() - self.origin.monotonic_ns) / SECOND


def make(random: Random, number: int, *, last: bool) -> Story:
    """A story; `last`: of its life, so that the prober may be killed in it."""
    kind = KINDS[number % len(KINDS)]
    if kind == "killed" and not last:
        kind = "stopped"
    disaster = random.uniform(0.02, 0.3)
    effect = disaster + random.uniform(0.05, 0.4)
    start = effect + 0.1
    begun = start + random.uniform(0.2, 0.8)
    switched = begun + random.uniform(0.1, 0.4)
    back = switched + random.uniform(0.0, 0.6)
    down = {
        "flapping": [(disaster, disaster + 0.5), (disaster + 0.8, back)],
        "relapse": [(disaster, back), (back + 0.6, back + 1.1)],
        "late": [(effect + 0.3, max(back, effect + 0.8))],
        "none": [],
        "switch_only": [(begun, switched)],
    }.get(kind, [(disaster, back)])
    story = Story(
        kind=kind,
        service=Service(down, FAILURES[number % len(FAILURES)]),
        disaster=disaster,
        effect=effect,
        restore_start=start,
        last_begun=begun,
        switched=switched,
        last_ended=switched + 0.1,
        soak_end=0.0,
    )
    if kind == "stopped":
        at = random.choice([disaster - 0.01, back - 0.2, back + 0.3])
        story.stopped = (at, at + random.uniform(0.4, 1.2))
    story.soak_end = max(story.restored, story.last_ended, *(story.stopped or (0.0,))) + HOLD + 1.0
    if kind == "killed":
        story.stopped = (random.uniform(disaster, story.soak_end), 1e9)
    return story


@dataclass(slots=True)
class Life:
    """A small HTTP server, the prober that watches it, and the stories that it lives through, one after another."""

    stories: list[Story]
    port: int = 0
    prober: Child | None = field(default=None, repr=False)

    server: asyncio.Server | None = field(default=None, repr=False)

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0, backlog=512)
        self.port = self.server.sockets[0].getsockname()[1]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            down = [one for one in self.stories if one.origin is not None and not one.service.up(one.since())]
            status, body = await _fail(down[0].service.failure) if down else ("200 OK", GOOD)
            if status:
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the prober hung up, as it does when its time is out
        finally:
            writer.close()

    def signals(self) -> list[tuple[int, int]]:
        """(when, signal) for the prober, by the monotonic clock."""
        found: list[tuple[int, int]] = []
        for story in self.stories:
            if story.stopped is None or story.origin is None:
                continue
            at, until = (story.origin.monotonic_ns + ns(one) for one in story.stopped)
            if story.kind == "killed":
                found.append((at, signal.SIGKILL))
            else:
                found += [(at, signal.SIGSTOP), (until, signal.SIGCONT)]
        return found

    def set_out(self, begin: Stamp) -> int:
        """Set every I: a baseline after the story before. Returns when the last one is over."""
        at = begin.monotonic_ns
        for story in self.stories:
            at += ns(HOLD + 0.5)
            story.origin = Stamp(at, begin.wall_ns + at - begin.monotonic_ns, begin.host, begin.boot)
            at += ns(story.soak_end + 0.3)
        return at


async def _fail(failure: str) -> tuple[str, bytes]:
    if failure in ("timeout", "slow"):
        await asyncio.sleep(TIMEOUT + (0.3 if failure == "slow" else 5.0))
    return {
        "refused": ("", b""),
        "timeout": ("", b""),
        "slow": ("200 OK", GOOD),
        "error_page": ("200 OK", b'{"source": "cache", "sorry": true}'),
        "status": ("503 Service Unavailable", GOOD),
    }[failure]


def run(lives: list[Life], directory: Path) -> None:
    """Live through all of them at once."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    probers: list[Child] = []
    try:
        for number, life in enumerate(lives):
            asyncio.run_coroutine_threadsafe(life.start(), loop).result(60)
            life.prober = _start(life.port, directory / f"life {number}")
            probers.append(life.prober)
            life.prober.say_go()
        for prober in probers:
            until(lambda prober=prober: prober.status().get("state") == "ready", seconds=60)
        _live(lives)
        for prober in probers:
            prober.end(signal.SIGTERM, 60)
    finally:
        for prober in probers:
            prober.end(signal.SIGKILL)
        asyncio.run_coroutine_threadsafe(_finish(lives), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _finish(lives: list[Life]) -> None:
    for life in lives:
        if life.server is not None:
            life.server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.05)  # transports close in the loop's next rounds


def _start(port: int, directory: Path) -> Child:
    read = {
        "name": "read",
        "type": "probe",
        "tolerance": {"type": "jsonpath", "target": "body", "path": "$.source", "expect": ["database"]},
        "provider": {"type": "http", "url": f"http://127.0.0.1:{port}/", "timeout": TIMEOUT},
    }
    config = {"every_seconds": PERIOD, "timeout_seconds": TIMEOUT, "activities": [read]}
    return Child("drillmark.observe.prober", "prober", directory, config)


def _live(lives: list[Life]) -> None:
    """Set every I, then stop probers and let them go on as scripted, until all is over."""
    begin = clock.now()
    over = max(life.set_out(begin) for life in lives)
    signals = [(at, life, number) for life in lives for at, number in life.signals()]
    waiter = threading.Event()
    for at, life, number in sorted(signals, key=lambda one: one[0]):
        waiter.wait(max(0.0, (at - clock.monotonic_ns()) / SECOND))
        assert life.prober is not None
        life.prober.process.send_signal(number)
    waiter.wait(max(0.0, (over - clock.monotonic_ns()) / SECOND))


def evidence(life: Life, story: Story) -> Evidence:
    assert story.origin is not None
    assert life.prober is not None
    journal = Journal(origin=story.origin)
    journal.start(-HOLD - 1)
    journal.intent(Effect.BASELINE, -HOLD - 0.2)
    journal.outcome(Effect.BASELINE, -0.1, met=True, reason="")
    journal.intent(Effect.INJECT, 0.0)
    journal.outcome(Effect.INJECT, story.disaster, actions=[{"name": "break", "status": "succeeded", "error": ""}])
    journal.intent(Effect.PROVE_EFFECT, story.disaster)
    journal.outcome(Effect.PROVE_EFFECT, story.effect)
    journal.did(Effect.RECOVER, story.restore_start, story.last_begun, "0:recover-0", good=True)
    journal.did(Effect.RECOVER, story.last_begun, story.last_ended, "1:recover-1", good=True)
    journal.did(Effect.SOAK, story.last_ended, story.soak_end, restored=True)
    rollbacks = [{"index": 0, "name": "mend", "status": "succeeded", "error": ""}]
    journal.did(Effect.UNDO, story.soak_end + 0.1, story.soak_end + 0.2, rollbacks=rollbacks)
    journal.did(Effect.PROVE_UNDONE, story.soak_end + 0.2, story.soak_end + 0.3)
    journal.did(Effect.STOP_OBSERVERS, story.soak_end + 1, story.soak_end + 2)
    plan = make_plan(recover=2, period=PERIOD, timeout=TIMEOUT, hold=HOLD)
    return Evidence(plan, journal.sorted(), beats=life.prober.table("beats"))


def problems(story: Story, measured: Measurements, beats: Table) -> list[str]:
    """The truth must lie in the interval, to what a request needed on its way; and the interval must be narrow."""
    found = [f"a measuring part raised: {error}" for error in measured.errors]
    seconds = measured.rta.seconds
    if seconds is None:
        return [*found, f"RTA is unknown: {measured.rta.reason}"]
    assert story.origin is not None
    took = (beats["received_ns"] - beats["sent_ns"]) / SECOND
    at = (beats["sent_ns"] - story.origin.monotonic_ns) / SECOND
    # A request meets the state that its arrival finds, up to this long after it was sent.
    way = float(took[beats["ok"] == 1].max(initial=0.0)) if (beats["ok"] == 1).any() else 0.0
    if story.rta < seconds.lo - way or (seconds.hi is not None and story.rta > seconds.hi + way):
        found.append(f"the truth {story.rta:.3f} s is outside {measured.rta.cited.filled_in} (way: {way:.3f} s)")
    steps = np.sort(np.diff(np.sort(at[(at > -1) & (at < story.soak_end)])))
    whole = float(steps[-1]) <= 2 * PERIOD
    if seconds.hi is None:
        return found if not whole or story.kind == "killed" else [*found, f"no upper edge: {measured.rta.reason}"]
    if story.kind == "killed":
        return found
    late = abs(measured.rta.cited.terms["b"] - story.effect) < 1e-6
    allowed = float(steps[-2:].sum()) + story.last_ended - story.last_begun + (story.effect if late else 0.0)
    if whole and seconds.hi - seconds.lo > allowed + 0.001:
        found.append(f"{seconds.hi - seconds.lo:.3f} s wide, {allowed:.3f} s are allowed")
    return found
