"""The guards of error budgets: Chaos Toolkit probes that are true while a drill may go on.

They are asked by the watcher of a drill's guards, again and again; what cannot be told raises, and is not true then.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drillmark import clock
from drillmark.errors import DrillmarkError
from drillmark.journal.entries import last
from drillmark.journal.port import Store
from drillmark.model.entry import Effect
from drillmark.model.stamp import NANOSECONDS
from drillmark.safety import budgets, own_runs

__all__ = ["budget_lasts", "own_budget_lasts"]

_KNOWN_NS = 30 * NANOSECONDS


def budget_lasts(url: str, query: str, slo: float, rate: float, token: str = "") -> bool:
    """Whether an error budget is spent at most `rate` times as fast as it lasts, by a PromQL query of a short range."""
    return (1 - budgets.good_ratio(url, query, token or None)) / (1 - slo) <= rate


def own_budget_lasts(
    target: str, slo: float, over_seconds: float, rate: float | None = None, window_seconds: float = 300.0
) -> bool:
    """Whether the outages of our own runs, this one included, leave some of the budget, and do not eat it too fast."""
    run_dir = Path(os.environ["DRILLMARK_RUN_DIR"])
    budget = (1 - slo) * over_seconds
    began_ns = _began_ns()
    if began_ns is None:  # whatever users meet until the fault is none of ours
        return _earlier(target, over_seconds) < budget
    if _earlier(target, over_seconds) + own_runs.bad_beats(run_dir, began_ns) >= budget:
        return False
    if rate is None:
        return True
    since_ns = max(began_ns, clock.monotonic_ns() - round(window_seconds * NANOSECONDS))
    return own_runs.bad_beats(run_dir, since_ns) / window_seconds / (1 - slo) <= rate


@dataclass(slots=True)
class _Known:
    """What earlier runs took, read again after a while: others may have ended since."""

    at_ns: int
    seconds: float


_known: dict[str, _Known] = {}


def _began_ns() -> int | None:
    """When the fault of this run was injected, by the monotonic clock; None where it was not yet."""
    with _journal() as store:
        found = last(store.read(os.environ["DRILLMARK_RUN"]), Effect.INJECT)
    return None if found is None else found.intent.stamp.monotonic_ns


@contextmanager
def _journal() -> Generator[Store]:
    from drillmark.engine.paths import WorkspacePaths  # noqa: PLC0415 - only where our own runs are the budget
    from drillmark.journal.opening import open_if_there  # noqa: PLC0415

    store = open_if_there(WorkspacePaths(Path.cwd()))
    if store is None:
        raise DrillmarkError(f"there is no journal in {Path.cwd()}")
    try:
        yield store
    finally:
        store.close()


def _earlier(target: str, over_seconds: float) -> float:
    found = _known.get(target)
    if found is None or clock.monotonic_ns() - found.at_ns > _KNOWN_NS:
        run = os.environ["DRILLMARK_RUN"]
        with _journal() as store:
            seconds = own_runs.bad_seconds(store, target, over_seconds, without=run)
        found = _known[target] = _Known(clock.monotonic_ns(), seconds)
    return found.seconds
