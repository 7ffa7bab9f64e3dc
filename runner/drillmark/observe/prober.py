"""The prober: a beat of all user-level probes on a fixed grid, whatever became of the beats before.

`python -m drillmark.observe.prober CONFIG.json`. Slot n is due at `start + n * period`. A slot that this process
slept through is left out, so that the gap shows; it must never be sent late in a burst. A failure that may be this
process's own (it was stopped when the time-out came, or had no port to send from) leaves no row: it proves nothing.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import aiohttp

from drillmark import clock, samples
from drillmark.model.stamp import NANOSECONDS
from drillmark.observe import child
from drillmark.observe.answer import Answer, NotSentError, Probe
from drillmark.observe.foreign import ForeignProbe
from drillmark.observe.paced import Paced, make_probes

FLUSH_SECONDS = 0.1
_GIVE_UP_SECONDS = 0.05
_END_SECONDS = 8.0
_START_NS = 20_000_000  # until slot 0, in which all probes are asked


class Prober:
    """Sends beats and writes a row for each answer."""

    def __init__(
        self,
        writer: samples.SampleWriter,
        probes: list[Paced],
        *,
        start_ns: int,
        period_ns: int,
        timeout_ns: int,
        on_rows: Callable[[], None] = lambda: None,
    ) -> None:
        self._writer = writer
        self._probes = probes
        self._start_ns = start_ns
        self._period_ns = period_ns
        self._timeout_ns = timeout_ns
        self._on_rows = on_rows
        self._in_flight: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._error: BaseException | None = None
        self.unsure = 0  # sends that proved nothing

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until told to stop, then wait for what is in flight. Raises OSError (disk full, say)."""
        self._stop = stop
        flusher = asyncio.create_task(self._flush_often(stop))
        slot = max(0, -(-(clock.monotonic_ns() - self._start_ns) // self._period_ns))
        while not stop.is_set():
            await _sleep_until(self._start_ns + slot * self._period_ns, stop)
            if stop.is_set():
                break
            late_ns = clock.monotonic_ns() - (self._start_ns + slot * self._period_ns)
            slot += late_ns // self._period_ns if late_ns > self._period_ns else 0
            self._send(slot)
            slot += 1
        await flusher
        if self._in_flight:
            # Whoever asked for the end waits only so long; what is still out then leaves no row.
            await asyncio.wait(self._in_flight, timeout=min(self._timeout_ns / NANOSECONDS + 1, _END_SECONDS))
        if self._error is not None:
            raise self._error
        self._writer.flush()

    def _send(self, slot: int) -> None:
        # Tasks begin in the order in which they are made, each up to its first wait: the send.
        for paced in self._probes:
            if slot % paced.stride == 0:
                task = asyncio.create_task(self._ask(slot, paced.probe))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)

    async def _ask(self, slot: int, probe: Probe) -> None:
        sent: list[int] = []

        async def send() -> Answer:
            sent.append(clock.monotonic_ns())
            return await probe.ask()

        answering = asyncio.ensure_future(send())
        # Waited for from outside: whatever a probe does when it is cancelled, its row is not late.
        while not answering.done():
            begun_ns = sent[0] if sent else clock.monotonic_ns()
            remaining_ns = begun_ns + self._timeout_ns - clock.monotonic_ns()
            if remaining_ns <= 0:
                break
            await asyncio.wait({answering}, timeout=remaining_ns / NANOSECONDS)
        received_ns = clock.monotonic_ns()
        if answering.done():
            answer = _outcome(answering)
            if answer and not answer.ok and isinstance(probe, ForeignProbe) and await self._is_ending():
                answer = None  # the word to stop goes to the whole group, a script of this probe included
        else:
            _give_up(answering)
            # Later than it should be: this process slept when the time ran out, and the answer may have been there.
            late = received_ns - sent[0] - self._timeout_ns > self._period_ns
            answer = None if late else Answer(ok=False, detail="timeout")
        if answer is None:
            self.unsure += 1
        else:
            self._row(slot, probe, sent[0], received_ns, answer)

    async def _is_ending(self) -> bool:
        await asyncio.sleep(_GIVE_UP_SECONDS)
        return self._stop.is_set()

    def _row(self, slot: int, probe: Probe, sent_ns: int, received_ns: int, answer: Answer) -> None:
        self._writer.append(
            beat=slot,
            probe=probe.name,
            sent_ns=sent_ns,
            received_ns=received_ns,
            ok=answer.ok,
            detail=answer.detail,
        )

    async def _flush_often(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                await _sleep_until(clock.monotonic_ns() + round(FLUSH_SECONDS * NANOSECONDS), stop)
                self._writer.flush()
                if self._writer.rows:
                    self._on_rows()
        except OSError as error:
            self._error = error
            stop.set()


async def _sleep_until(when_ns: int, stop: asyncio.Event) -> None:
    remaining = (when_ns - clock.monotonic_ns()) / NANOSECONDS
    if remaining > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(remaining):
                await stop.wait()


def _outcome(answering: asyncio.Future[Answer]) -> Answer | None:
    """What came of a send; None where it proves nothing."""
    try:
        return answering.result()
    except NotSentError:
        return None
    except Exception as error:  # noqa: BLE001  # a probe that breaks is a bad beat, not the end of all beats
        return Answer(ok=False, detail=type(error).__name__)


def _give_up(task: asyncio.Future[Answer]) -> None:
    """Let a send go. A driver that tries to cancel in an orderly way gets a moment, and then a second word."""
    task.cancel()
    asyncio.get_running_loop().call_later(_GIVE_UP_SECONDS, task.cancel)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Future[Answer]) -> None:
    if not task.cancelled():
        task.exception()


async def observe(me: child.Child) -> None:
    """Beat as the config says, until SIGTERM or the deadline. Raises OSError, DrillmarkError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.call_later(0.0 if me.stop_requested else me.remaining_seconds, stop.set)
    period_ns = max(1, round(float(me.config["every_seconds"]) * NANOSECONDS))
    timeout_seconds = float(me.config["timeout_seconds"])
    # No limit on connections: a beat must not wait for the answers to earlier ones. No cache of names either.
    connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        probes = make_probes(
            list(me.config["activities"]),
            me.configuration,
            me.secrets,
            session=session,
            period_ns=period_ns,
            timeout_seconds=timeout_seconds,
        )
        await _warm(probes, timeout_seconds)
        writer = samples.SampleWriter(
            me.samples(str(me.config.get("samples", "beats"))),
            samples.BEATS,
            {
                "run": me.run,
                "start_ns": clock.monotonic_ns() + _START_NS,
                "period_ns": period_ns,
                "timeout_ns": round(timeout_seconds * NANOSECONDS),
                "probes": [each.probe.name for each in probes],
                "periods_ns": {each.probe.name: each.stride * period_ns for each in probes},
            },
        )
        prober = Prober(
            writer,
            probes,
            start_ns=int(writer.meta["start_ns"]),  # resumed: the same grid, the same slot numbers
            period_ns=period_ns,
            timeout_ns=round(timeout_seconds * NANOSECONDS),
            on_rows=_once(lambda: me.report("ready")),
        )
        await prober.run(stop)
        writer.note(unsure=prober.unsure)
        writer.close()
        for each in probes:
            await each.probe.close()


async def _warm(probes: list[Paced], timeout_seconds: float) -> None:
    """Ask each once, unrecorded: imports, caches and name services are not the first beat's business."""
    asking = {asyncio.ensure_future(each.probe.ask()) for each in probes}
    _, late = await asyncio.wait(asking, timeout=timeout_seconds)
    for task in late:
        _give_up(task)
    for task in asking - late:
        _forget(task)
    gc.collect()
    gc.freeze()


def _once(action: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def first_time_only() -> None:
        if not done:
            done.append(True)
            action()

    return first_time_only


def main(arguments: list[str]) -> int:
    """Entry point of the process; returns its exit code."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return child.run(arguments, lambda me: asyncio.run(observe(me)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
