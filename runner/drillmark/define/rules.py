"""Rules that join several fields of one file.

They read the document as written, so a wrong field elsewhere does not hide them. A field that is itself wrong is
told by its model and left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic_core import PydanticCustomError

from drillmark.define import chaos_keys, markers
from drillmark.define.marks import Marks, Path, dotted, get
from drillmark.define.nearest import hint_for
from drillmark.define.units import duration_seconds
from drillmark.errors import Problem

Check = Callable[[Any, Marks], list[Problem]]

DEFAULTS = {"baseline": "30s", "hold": "30s", "fault": "60s", "detect": "0s"}


def no_problems(raw: Any, marks: Marks) -> list[Problem]:  # noqa: ARG001
    """The rule of a file that has none."""
    return []


def drill_problems(raw: Any, marks: Marks) -> list[Problem]:
    """What contradicts itself in a drill."""
    if not isinstance(raw, dict):
        return []
    return [*_phase_problems(raw, marks), *_shape_problems(raw, marks), *_guard_problems(raw, marks)]


def _guard_problems(raw: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    guards = raw.get("guards")
    seen: set[str] = set()
    for index, guard in enumerate(guards if isinstance(guards, list) else []):
        name = get(guard, "name")
        if isinstance(name, str) and name in seen:
            hint = "give each guard a name of its own: an abort names the one that failed"
            yield marks.problem(("guards", index, "name"), f"there are two guards `{name}`", hint)
        seen.add(str(name))


def _phase_problems(raw: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    hold, baseline = _phase(raw, "hold"), _phase(raw, "baseline")
    if hold is not None and baseline is not None and hold > baseline:
        key = "hold" if get(raw, "phases", "hold") is not None else "baseline"
        yield marks.problem(
            ("phases", key),
            f"`phases.hold` ({_told(raw, 'hold')}) is longer than `phases.baseline` ({_told(raw, 'baseline')})",
            "the steady state before the fault must be seen for at least the window that proves it afterwards",
        )
    fault = _phase(raw, "fault")
    if _kept_until_undo(raw) and hold is not None and fault is not None and fault <= hold:
        key = "fault" if get(raw, "phases", "fault") is not None else "hold"
        yield marks.problem(
            ("phases", key),
            f"`phases.fault` ({_told(raw, 'fault')}) is not longer than `phases.hold` ({_told(raw, 'hold')})",
            "without `recover` the fault stays for phases.fault, and a hold window must fit in",
        )
    yield from _detect_problems(raw, marks)
    rto, mtd = _seconds(get(raw, "objectives", "rto") or "4h"), _seconds(get(raw, "objectives", "mtd"))
    if rto is not None and mtd is not None and mtd < rto:
        yield marks.problem(
            ("objectives", "mtd"), "`objectives.mtd` is shorter than the rto", "RTO + work recovery time <= MTD"
        )


def _detect_problems(raw: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    detect, objective = _phase(raw, "detect"), _seconds(get(raw, "objectives", "time_to_detect"))
    if not detect:
        return
    if "recover" not in raw:
        yield marks.problem(
            ("phases", "detect"),
            "`phases.detect` needs `recover`",
            "without a recovery nothing waits for the detection; alerts count all the same while the fault stays",
        )
    if objective is not None and detect < objective:
        yield marks.problem(
            ("phases", "detect"),
            f"`phases.detect` ({_told(raw, 'detect')}) is shorter than `objectives.time_to_detect`",
            "recovery would begin before a detection that is still in time",
        )
    deadline = _seconds(get(raw, "phases", "recover", "deadline"))
    if deadline is not None and deadline <= detect:
        yield marks.problem(
            ("phases", "recover", "deadline"),
            f"`phases.recover.deadline` is not longer than `phases.detect` ({_told(raw, 'detect')})",
            "it counts from the fault's effect, so nothing would be left for the recovery",
        )


def _shape_problems(raw: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    mode = raw.get("mode", "drill")
    if "fault" not in raw and mode != "tabletop":
        hint = "name an experiment (fault: experiments/....yaml), or write fault: simulated"
        yield marks.problem((), "`fault` is missing", hint)
    if mode == "check" and "recover" in raw:
        yield marks.problem(("recover",), "a check has no `recover`", "write mode: drill", at_key=True)
    if raw.get("fault") == "simulated" and "recover" not in raw:
        yield marks.problem(("fault",), "a simulated disaster needs `recover`", "it measures a restore to the side")
    if raw.get("fault") == "simulated" and _seconds(get(raw, "phases", "detect")):
        hint = "nobody can notice what did not happen: the declaration is the disaster"
        yield marks.problem(("phases", "detect"), "a simulated disaster is not detected", hint)
    load, schedule = raw.get("load"), raw.get("schedule")
    if isinstance(load, dict) and ("master" in load) != ("workers" in load):
        yield marks.problem(("load",), "`load.master` and `load.workers` belong together", "give both, or neither")
    if isinstance(load, dict):
        yield from _load_problems(load, marks)
    if isinstance(schedule, dict) and ("every" in schedule) == ("cron" in schedule):
        yield marks.problem(("schedule",), "`schedule` needs one of `every` and `cron`", "such as {every: quarter}")


def _load_problems(load: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    users, processes, workers = load.get("users", 10), load.get("processes", 1), load.get("workers")
    if "master" in load and processes != 1:
        hint = "each machine starts as many workers as it has cores: count them all in load.workers"
        yield marks.problem(("load", "processes"), "`load.processes` and `load.master` exclude each other", hint)
    parts, key = (processes, "processes") if workers is None else (workers, "workers")
    if isinstance(users, int) and isinstance(parts, int) and 0 < users < parts:
        yield marks.problem(
            ("load", key), f"there are fewer `load.users` ({users}) than `load.{key}` ({parts})",
            "a worker without users cannot be told from a dead one",
        )  # fmt: skip


def _kept_until_undo(raw: dict[str, Any]) -> bool:
    return "recover" not in raw and raw.get("fault") not in (None, "simulated")


def _phase(raw: dict[str, Any], name: str) -> float | None:
    value = get(raw, "phases", name)
    return _seconds(DEFAULTS[name] if value is None else value)


def _told(raw: dict[str, Any], name: str) -> str:
    value = get(raw, "phases", name)
    return f"{DEFAULTS[name]}, the default" if value is None else str(value)


def _seconds(value: object) -> float | None:
    try:
        return None if value is None else duration_seconds(value)
    except PydanticCustomError:
        return None


def drill_warnings(raw: Any, marks: Marks) -> list[Problem]:
    """What is allowed in a drill and probably not meant."""
    if not isinstance(raw, dict):
        return []
    found: list[Problem] = []
    for path, use in uses(raw):
        if isinstance(use, dict) and "ref" not in use:
            found += chaos_keys.activity_warnings(use, marks, path, extra={"repeatable"})
    slo = get(raw, "objectives", "slo")
    if isinstance(slo, dict) and "load" not in raw:
        found += [
            marks.problem(("objectives", "slo", key), f"`objectives.slo.{key}` needs `load`, without it it is unknown")
            for key in ("latency", "error_rate", "throughput")
            if key in slo
        ]
    found += _detect_warnings(raw, marks)
    return found


def _detect_warnings(raw: dict[str, Any], marks: Marks) -> Iterator[Problem]:
    objective = _seconds(get(raw, "objectives", "time_to_detect"))
    if objective is None:
        return
    at: Path = ("objectives", "time_to_detect")
    if not get(raw, "observe", "alerts") and not _phase(raw, "detect"):
        hint = "list the alerts, or let the drill wait for a person: phases.detect"
        yield marks.problem(at, "`time_to_detect` is judged only where `observe.alerts` are", hint)
    fault = _phase(raw, "fault")
    if _kept_until_undo(raw) and get(raw, "observe", "alerts") and fault is not None and fault <= objective:
        hint = "an alert that does not come by then leaves it unknown; make phases.fault longer"
        yield marks.problem(at, "the fault is undone before `time_to_detect` is over", hint)


def uses(raw: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every place of a drill where an activity or a reference to one stands."""
    lists: tuple[Path, ...] = (("recover",), ("verify",), ("observe", "probes", "use"))
    for path in lists:
        items = get(raw, *path)
        if isinstance(items, list):
            yield from (((*path, index), item) for index, item in enumerate(items))
    effect = get(raw, "fault", "effect")
    if effect is not None:
        yield ("fault", "effect"), effect
    guards = raw.get("guards")
    if isinstance(guards, list):
        for index, guard in enumerate(guards):
            if isinstance(guard, dict) and "probe" in guard:
                yield ("guards", index, "probe"), guard["probe"]


def targets_problems(raw: Any, marks: Marks) -> list[Problem]:
    """Names within a targets file that do not exist, and secrets that are no references."""
    if not isinstance(raw, dict):
        return []
    found = list(secret_problems(raw.get("secrets"), marks, ("secrets",)))
    configuration = raw.get("configuration")
    for key, value in configuration.items() if isinstance(configuration, dict) else ():
        if get(value, "type") == "env" and not isinstance(get(value, "key"), str):
            found.append(marks.problem(("configuration", key), f"`configuration.{key}` has no `key`"))
    targets = raw.get("targets")
    for name, target in targets.items() if isinstance(targets, dict) else ():
        if isinstance(target, dict):
            found += _target_problems(target, marks, ("targets", name), raw.get("secrets"))
    return found


def _target_problems(target: dict[str, Any], marks: Marks, at: Path, secrets: Any) -> Iterator[Problem]:
    activities: dict[str, Any] = {}
    items = target.get("activities")
    for index, item in enumerate(items if isinstance(items, list) else []):
        name = get(item, "name")
        if isinstance(name, str) and name in activities:
            yield marks.problem((*at, "activities", index, "name"), f"the activity `{name}` is there twice")
        elif isinstance(name, str):
            activities[name] = item
        yield from chaos_keys.secret_name_problems(item, marks, (*at, "activities", index), secrets)
    yield from _named_problems(target, activities, marks, at)
    yield from markers.problems(target, marks, at, secrets)
    yield from markers.secret_problems(get(target, "positions"), marks, (*at, "positions"), secrets)


def _named_problems(target: dict[str, Any], activities: dict[str, Any], marks: Marks, at: Path) -> Iterator[Problem]:
    """Names of activities that do not exist, or are of the wrong type."""
    keys = ("probes", "side", "source", "discard", "verify", "preflight", "identity", "side_identity", "effect")
    places: list[tuple[Path, object]] = [((key,), target.get(key)) for key in keys]
    for own, value in [*places, (("scope", "counted_by"), get(target, "scope", "counted_by"))]:
        key = own[-1]
        listed = value if isinstance(value, list) else [] if value is None else [value]
        for index, name in enumerate(listed):
            path: Path = (*at, *own, index) if isinstance(value, list) else (*at, *own)
            if not isinstance(name, str):
                continue
            if name not in activities:
                yield marks.problem(path, f"`{name}` is none of this target's activities", hint_for(name, activities))
            elif key not in ("verify", "discard") and get(activities[name], "type") == "action":
                yield marks.problem(path, f"`{name}` is an action, a probe is needed here")
            elif key == "discard" and get(activities[name], "type") == "probe":
                yield marks.problem(path, f"`{name}` is a probe, an action is needed here")


def secret_problems(secrets: Any, marks: Marks, at: Path) -> Iterator[Problem]:
    """Values where references belong: a plan is stored, and must not hold them."""
    if isinstance(secrets, dict) and secrets.get("type") in ("env", "vault"):
        needed = "key" if secrets["type"] == "env" else "path"
        if not isinstance(secrets.get(needed), str):
            yield marks.problem(at, f"`{dotted(at)}` has no `{needed}`")
    elif isinstance(secrets, dict):
        for key, value in secrets.items():
            yield from secret_problems(value, marks, (*at, str(key)))
    elif secrets is not None and not isinstance(secrets, bool):
        yield marks.problem(
            at, f"`{dotted(at)}` holds a value, not a reference", "write {type: env, key: NAME}; a plan is stored"
        )


def targets_warnings(raw: Any, marks: Marks) -> list[Problem]:
    """What is allowed in a targets file and probably not meant."""
    found: list[Problem] = []
    targets = get(raw, "targets")
    for name, target in targets.items() if isinstance(targets, dict) else ():
        items = get(target, "activities")
        for index, item in enumerate(items if isinstance(items, list) else []):
            at: Path = ("targets", name, "activities", index)
            if isinstance(item, dict):
                found += chaos_keys.activity_warnings(item, marks, at, extra={"repeatable"})
                found += chaos_keys.variable_warnings(item, marks, at, get(raw, "configuration"), get(raw, "secrets"))
                found += chaos_keys.exposed_secret_warnings(item, marks, at, get(raw, "secrets"))
    return found
