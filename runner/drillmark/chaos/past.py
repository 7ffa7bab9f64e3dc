"""What a journal of `chaos run` tells of a run that is over, in the words of Drillmark's own journal. Pure.

Must never make more of a journal than it says: a record without a status is indeterminate, a hypothesis that was not
checked is unchecked, rollbacks that are not there were not run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drillmark.chaos import redact
from drillmark.chaos.events import Phase
from drillmark.chaos.layout import name_of, shape_problems
from drillmark.chaos.values import failure_text, jsonable, provider_failure
from drillmark.model.entry import Status
from drillmark.model.stamp import NANOSECONDS, Stamp

DRY = ("probes", "actions", "activities", "pause")


@dataclass(frozen=True, slots=True)
class Past:
    """A run that is over.

    Attributes:
        experiment: as the journal holds it, secrets masked.
        inject: the data of the outcome of the method.
        undo: likewise of the rollbacks; None where they were not played, though there are some.
        begin: when the run began.
        ends: when the method's last activity, the last rollback, and the run ended.
        dry: what was left out, or None.
    """

    experiment: dict[str, Any]
    inject: dict[str, Any]
    undo: dict[str, Any] | None
    begin: Stamp
    ends: tuple[Stamp, Stamp, Stamp]
    dry: str | None


def problems(journal: Any) -> Iterator[str]:
    """Why this is no journal of `chaos run`."""
    if not isinstance(journal, dict) or not isinstance(journal.get("experiment"), dict):
        yield "it holds no `experiment`"
        return
    yield from shape_problems(journal["experiment"])
    if not isinstance(journal["experiment"].get("method"), list):
        yield "its experiment has no method"
    for key in ("run", "rollbacks"):
        items = journal.get(key)
        if not isinstance(items, list) or not all(_is_record(item) for item in items):
            yield f"`{key}` is no list of activities that were run"
    if not isinstance(journal.get("steady_states"), dict):
        yield "it holds no `steady_states`"
    if _instant(journal.get("start")) is None:
        yield "`start` is no time"


def masked(journal: dict[str, Any]) -> dict[str, Any]:
    """The journal without the secrets that it spells out: Chaos Toolkit writes them into it as they are."""
    experiment = journal["experiment"]
    redactor = redact.Redactor(redact.collect_references(experiment.get("secrets") or {}, {}))
    redactor.add(redact.collect_by_name(experiment.get("configuration") or {}))
    found: dict[str, Any] = redactor.value(jsonable(journal))
    return found


def read(journal: dict[str, Any]) -> Past:
    """Everything that can be told. `problems` must have found nothing."""
    experiment: dict[str, Any] = journal["experiment"]
    begin_ns = _instant(journal["start"]) or 0
    node = str(journal.get("node") or "unknown")

    def stamp(value: Any, otherwise_ns: int) -> Stamp:
        wall_ns = max(_instant(value) or otherwise_ns, otherwise_ns)
        # There was one clock, and it was that of the wall.
        return Stamp(wall_ns - begin_ns, wall_ns, node, "imported")

    begin = stamp(journal["start"], begin_ns)
    method_end = stamp(_last_end(journal["run"]), begin.wall_ns)
    rollbacks_end = stamp(_last_end(journal["rollbacks"]), method_end.wall_ns)
    end = stamp(journal.get("end"), rollbacks_end.wall_ns)
    dry = experiment.get("dry")
    told = {"played": _played(journal), **_hypothesis(journal)}
    return Past(
        experiment=experiment,
        inject=_inject(journal) | told,
        undo=_undo(journal, told),
        begin=begin,
        ends=(method_end, rollbacks_end, end),
        # `true`, or what nobody knows: something was left out, and all of it may have been.
        dry=dry if dry in DRY else "activities" if dry else None,
    )


def _inject(journal: dict[str, Any]) -> dict[str, Any]:
    before = journal["steady_states"].get("before")
    gate_failed = isinstance(before, dict) and before.get("steady_state_met") is not True
    runs: list[dict[str, Any]] = journal["run"]
    actions = [_ended(run) for run in runs if run["activity"].get("type") == "action"]
    bad = [f"{one['name']}: {one['error'] or one['status']}" for one in actions if one["status"] != Status.SUCCEEDED]
    if gate_failed:
        bad = ["the experiment's own steady state was not met"]
    return {
        "status": Status.FAILED if bad else Status.SUCCEEDED,
        "error": "; ".join(bad),
        "actions": [] if gate_failed else actions,
        "gate_failed": gate_failed,
        "nothing_began": gate_failed,
        "last_action_ended": not bad,
    }


def _undo(journal: dict[str, Any], told: dict[str, Any]) -> dict[str, Any] | None:
    runs: list[dict[str, Any]] = journal["rollbacks"]
    if journal["experiment"].get("rollbacks") and not runs:
        return None
    done = [_ended(run) | {"index": index} for index, run in enumerate(runs)]
    bad = [f"{one['name']}: {one['error'] or one['status']}" for one in done if one["status"] != Status.SUCCEEDED]
    failed = any(one["status"] == Status.FAILED for one in done)
    status = Status.FAILED if failed else Status.INDETERMINATE if bad else Status.SUCCEEDED
    return {"status": status, "error": "; ".join(bad), "rollbacks": done, **told}


def _ended(run: dict[str, Any]) -> dict[str, Any]:
    activity: dict[str, Any] = run["activity"]
    error = ""
    if run.get("status") == "succeeded":
        error = provider_failure(activity, run.get("output"))
        status = Status.FAILED if error else Status.SUCCEEDED
    elif run.get("status") == "failed":
        status, error = Status.FAILED, failure_text(run)
    else:
        status, error = Status.INDETERMINATE, "it ended without a status"
    return {"name": name_of(activity), "status": status.value, "error": error}


def _played(journal: dict[str, Any]) -> dict[str, Any]:
    return {"status": str(journal.get("status") or ""), "deviated": journal.get("deviated") is True}


def _hypothesis(journal: dict[str, Any]) -> dict[str, Any]:
    """What became of the hypothesis: where it was met and missed, and where the experiment itself says to look."""
    states: dict[str, Any] = journal["steady_states"]
    before, after, during = states.get("before"), states.get("after"), states.get("during") or []
    seen = {
        Phase.BEFORE: [one.get("steady_state_met") for one in (before,) if isinstance(one, dict)],
        Phase.DURING: [one.get("steady_state_met") for one in during if isinstance(one, dict)],
        Phase.AFTER: [one.get("steady_state_met") for one in (after,) if isinstance(one, dict)],
    }
    return {
        "deviated": journal.get("deviated") is True or False in seen[Phase.AFTER],
        "missed_during": any(one is not True for one in seen[Phase.DURING]),
        "met": sorted(phase.value for phase, found in seen.items() if True in found),
        "strategy": _strategy(journal["experiment"]),
    }


def _strategy(experiment: dict[str, Any]) -> str:
    """As the file says. What the command line said stands in no journal."""
    runtime = experiment.get("runtime")
    hypothesis = runtime.get("hypothesis") if isinstance(runtime, dict) else None
    return str((hypothesis.get("strategy") if isinstance(hypothesis, dict) else None) or "default")


def _is_record(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("activity"), dict)


def _last_end(runs: list[dict[str, Any]]) -> Any:
    return max((str(run["end"]) for run in runs if _instant(run.get("end")) is not None), default=None)


def _instant(value: Any) -> int | None:
    """Nanoseconds since the epoch of a time as Chaos Toolkit writes it; UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000) * (NANOSECONDS // 1_000_000)
