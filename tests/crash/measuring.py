"""One case of the kill matrix from its death to its row: kill, resume, look at everything."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime
from typing import Any

from bench import Bench, Left, Told, intents
from cases import Case, Death
from observer import Bounds, Observer
from rows import problems_of_row, problems_of_run, row_of, sentence

from drillmark.model.entry import Effect, Kind

SLACK_SECONDS = 0.5
KINDS = tuple(f"after {kind}" for kind in Kind)


def measure(bench: Bench, case: Case) -> dict[str, Any]:
    """Kill, resume until it lives, and look. The record of it; `problems` is empty where everything holds."""
    began = time.monotonic()
    before = bench.known()
    with bench.observing() as observer:
        arguments = ["run", bench.drills[case.drill], "--json"]
        status, points, output = bench.start(arguments, [death.as_json() for death in case.deaths])
        run = next(iter(bench.known() - before), "")
        left = bench.left(run)
        told = Told(left, output=output, code=status)
        died = status == -signal.SIGKILL
        if died:
            told = _resume(bench, told, case.in_resume)
        bench.read_result(told)
        if not died:
            told.left = _at_death(told, points, case.deaths)
        told.problems = _not_reached(case, died, points)
    told.problems += problems_of_run(told)
    row = row_of(told) if died else "the runner lived"
    if died:
        told.problems += problems_of_row(told, row)
    elif told.code not in (0, 1, 3, 4):
        told.problems.append(f"the run ended with {told.code}: {told.output[-500:]}")
    if told.entries:
        code, _points, said = bench.start(["verify", run], [])
        told.problems += [] if code == 0 else [f"verify: {said[-300:]}"]
    told.problems += bench.problems_of_place(told)
    truth = _truths(bench, told, observer)
    return _record(case, told, row, truth, time.monotonic() - began)


def _resume(bench: Bench, told: Told, deaths: tuple[Death, ...]) -> Told:
    """Resume, once more if that dies too; what is told is of the last death."""
    target = told.left.run or "last"
    for each in (deaths, ()):
        status, _points, output = bench.start(
            ["resume", target, "--json"], [death.as_json() for death in each]
        )  # fmt: skip
        told.code, told.output = status, output
        if status != -signal.SIGKILL:
            return told
        told.left = bench.left(told.left.run)
    told.problems.append("resume died though nobody killed it")
    return told


def _at_death(told: Told, points: list[dict[str, Any]], deaths: tuple[Death, ...]) -> Left:
    """What had been journalled when another process than the runner was killed."""
    reached = 0
    for point in points:
        reached += point["name"].startswith(KINDS)
        if any((point["name"], point["occurrence"]) == (d.at, d.occurrence) or point["number"] == d.at for d in deaths):
            break
    left = told.left
    return Left(left.run, left.directory, told.entries[:reached], left.undoables, left.events, left.guard_acted)


def _not_reached(case: Case, died: bool, points: list[dict[str, Any]]) -> list[str]:
    """A case whose point was never passed shows nothing, and must not count as one that held."""
    passed = {(point["name"], point["occurrence"]) for point in points}
    missing = [
        death.words for death in case.deaths
        if isinstance(death.at, str) and (death.at, death.occurrence) not in passed
    ]  # fmt: skip
    # The first of two deaths may end the run before the second is due.
    if missing and (len(missing) == len(case.deaths) or (not died and case.kind != "pair")):
        return [f"not reached: {', '.join(missing)}"]
    return []


def _truths(bench: Bench, told: Told, observer: Observer) -> dict[str, Bounds]:
    """What the observer saw of the two numbers that the run reports; a problem where the two cannot both be true."""
    result, begun = told.result, intents(told.entries, Effect.INJECT)
    if result is None or not begun:
        return {}
    since = begun[0].stamp.monotonic_ns / 1e9
    truths: dict[str, Bounds] = {}
    rta, rpa = result["rto"]["observed_seconds"], result["rpo"]["observed_seconds"]
    if rta is not None:
        until = _first(told, Effect.UNDO)
        recovered = [
            entry.stamp.monotonic_ns / 1e9 for entry in told.entries
            if entry.kind is Kind.OUTCOME and entry.effect is Effect.RECOVER
        ]  # fmt: skip
        truths["rta"] = observer.outage(since, until, max(recovered, default=0.0))
    if rpa is not None:
        survivors = bench.survived(observer.customer)
        truths["rpa"] = observer.recovery_point(since, _first(told, Effect.READ_BACK), survivors.__contains__)
    for name, observed in (("rta", rta), ("rpa", rpa)):
        if name in truths and not truths[name].meets(observed, SLACK_SECONDS):
            told.problems.append(f"{name} {observed} does not hold the truth, {truths[name]}")
    for name in ("rto", "rpo"):
        if result[name]["observed_seconds"] is None and result[name]["verdict"] == "passed":
            told.problems.append(f"{name} passed without a number")
    return truths


def _first(told: Told, effect: Effect) -> float:
    found = intents(told.entries, effect)
    return found[0].stamp.monotonic_ns / 1e9 if found else float("inf")


def _record(
    case: Case, told: Told, row: str, truth: dict[str, Bounds], seconds: float
) -> dict[str, Any]:  # fmt: skip
    result = told.result or {}
    record = {
        "case": case.name, "kind": case.kind, "row": row, "did": sentence(told), "exit_code": told.code,
        "verdict": result.get("verdict"), "reasons": result.get("reasons", [])[:3],
        "rta": (result.get("rto") or {}).get("observed_seconds"), "rpa": (result.get("rpo") or {}).get("observed_seconds"),
        "truth": {name: [bounds.lo, min(bounds.hi, 1e9)] for name, bounds in truth.items()},
        "seconds": round(seconds, 1), "at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "problems": told.problems,
    }  # fmt: skip
    return json.loads(json.dumps(record))
