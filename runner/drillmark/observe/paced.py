"""Makes the prober's probes of activities: which are asked natively, and how often each. Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
from chaoslib.exceptions import ChaosException

from drillmark.model.stamp import NANOSECONDS
from drillmark.observe import native
from drillmark.observe.answer import Probe
from drillmark.observe.child import ChildError
from drillmark.observe.foreign import PACE_SECONDS, ForeignProbe


@dataclass(frozen=True, slots=True)
class Paced:
    """A probe and how often it is asked: in every `stride`-th slot."""

    probe: Probe
    stride: int = 1


def make_probes(
    activities: list[dict[str, Any]],
    configuration: dict[str, Any],
    secrets: dict[str, Any],
    *,
    session: aiohttp.ClientSession,
    period_ns: int,
    timeout_seconds: float,
) -> list[Paced]:
    """The probes for activities (plain ones, or as a plan holds them). Raises ChildError."""
    slow = max(1, -(-round(PACE_SECONDS * NANOSECONDS) // period_ns))
    paced: list[Paced] = []
    for item in activities:
        activity: dict[str, Any] = item.get("activity", item)
        name = str(item.get("name") or activity.get("name"))
        try:
            probe = native.make(
                name, activity, configuration, secrets, session=session, timeout_seconds=timeout_seconds
            )
            if probe is None:
                paced.append(Paced(ForeignProbe(name, activity, configuration, secrets), slow))
            else:
                paced.append(Paced(probe))
        except (ValueError, KeyError, TypeError, OSError, ImportError, ChaosException) as error:
            raise ChildError(f"cannot use the probe {name}: {error}") from error
    names = [each.probe.name for each in paced]
    if not names or len(set(names)) != len(names):
        raise ChildError("a beat needs at least one probe, and each a name of its own")
    return paced
