"""A service with a scripted life, and the beats that a prober would have recorded of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from drillmark.model.evidence import Table
from rig.journal import ORIGIN_NS, ns, table

Stretch = tuple[float, float]  # [begin, end), seconds since I


@dataclass(slots=True)
class Service:
    """When the service is down (a request sent then is not answered rightly in time), and how it fails."""

    down: list[Stretch] = field(default_factory=list)
    failure: str = "refused"  # refused | timeout | slow | error_page
    latency: float = 0.01

    def up(self, at: float) -> bool:
        return not any(begin <= at < end for begin, end in self.down)

    def last_down(self) -> float:
        return max((end for _, end in self.down), default=0.0)


@dataclass(slots=True)
class Prober:
    """How the beats were taken.

    `lost` stretches: no beat was sent. `dropped`: share of slots lost one by one. `jitter`: of a period.
    """

    period: float = 0.1
    timeout: float = 2.0
    probes: int = 1
    begin: float = -10.0
    end: float = 60.0
    jitter: float = 0.0
    dropped: float = 0.0
    spread: float = 0.0  # between the probes of one beat
    slow_stride: int = 1  # the last probe is asked in every so many slots only
    only_slow: bool = False  # and it alone sees the outage
    lost: list[Stretch] = field(default_factory=list)
    closed: bool = True

    @property
    def grid(self) -> float:
        """From one beat of all probes to the next."""
        return self.period * self.slow_stride


def beats(service: Service, prober: Prober, random: Random) -> Table:
    rows: list[tuple[float, int, int, float, int]] = []
    slot = 0
    while True:
        at = prober.begin + slot * prober.period
        if at >= prober.end:
            break
        sent = at + random.uniform(0, prober.jitter) * prober.period
        gone = random.random() < prober.dropped or any(a <= sent < b for a, b in prober.lost)
        for probe in range(0 if gone else prober.probes):
            slow = probe == prober.probes - 1
            if slow and slot % prober.slow_stride:
                continue
            moment = sent + probe * prober.spread
            asked = service if slow or not prober.only_slow else Service(latency=service.latency)
            latency, ok = _answer(asked, moment, prober.timeout, random)
            rows.append((moment + latency, slot, probe, moment, ok))
        slot += 1
    rows.sort()
    return table(
        {
            "beat": [row[1] for row in rows],
            "probe": [row[2] for row in rows],
            "sent_ns": [ORIGIN_NS + ns(row[3]) for row in rows],
            "received_ns": [ORIGIN_NS + ns(row[0]) for row in rows],
            "ok": [row[4] for row in rows],
            "detail": [0] * len(rows),
        },
        {
            "period_ns": ns(prober.period),
            "timeout_ns": ns(prober.timeout),
            "probes": [f"probe-{n}" for n in range(prober.probes)],
            "periods_ns": {
                f"probe-{n}": ns(prober.grid if n == prober.probes - 1 else prober.period) for n in range(prober.probes)
            },
        },
        closed=prober.closed,
    )


def _answer(service: Service, at: float, timeout: float, random: Random) -> tuple[float, int]:
    quick = service.latency * random.uniform(0.5, 1.5)
    if service.up(at):
        return quick, 1
    return {
        "refused": (quick / 2, 0),
        "timeout": (timeout, 0),
        # The answer is right, but later than the time-out: the prober hung up.
        "slow": (timeout * random.uniform(1.0, 1.01), 1 if random.random() < 0.5 else 0),
        "error_page": (quick, 0),
    }[service.failure]


def load_tables(
    requests: Sequence[tuple[float, float, bool]],
    begin: float,
    end: float,
    *,
    died_at: float | None = None,
    closed: bool = True,
) -> tuple[Table, Table]:
    """Requests (start, latency, ok) and a row of users a second, up to where the load died."""
    kept = [one for one in requests if died_at is None or one[0] + one[1] < died_at]
    kept.sort(key=lambda one: one[0] + one[1])
    stop = end if died_at is None else died_at
    seconds = np.arange(begin, stop, 1.0).tolist()
    requests_table = table(
        {
            "start_ns": [ORIGIN_NS + ns(start) for start, _, _ in kept],
            "latency_ns": [ns(latency) for _, latency, _ in kept],
            "name": [0] * len(kept),
            "ok": [int(ok) for _, _, ok in kept],
            "error": [0] * len(kept),
        },
        closed=closed,
    )
    users = table(
        {"at_ns": [ORIGIN_NS + ns(float(at)) for at in seconds], "users": [10] * len(seconds)},
        {"period_ns": ns(1.0)},
        closed=closed,
    )
    return requests_table, users
