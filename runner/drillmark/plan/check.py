"""What one drill needs of the rest of the workspace: names that exist, an undo, something that observes.

Reads the documents as written, so that a drill which is wrong elsewhere is still told everything in one go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drillmark.define import markers, rejected
from drillmark.define.chaos_keys import exposed_secret_warnings, secret_name_problems, variable_warnings
from drillmark.define.drill import Drill
from drillmark.define.experiment import Experiment
from drillmark.define.marks import Marks, Path, get
from drillmark.define.nearest import hint_for
from drillmark.define.parse import Parsed
from drillmark.define.rules import uses
from drillmark.define.targets import Targets
from drillmark.errors import Problem

_PROBES_ONLY = ("observe", "fault", "guards")


def check(
    drill: Parsed[Drill], targets: Parsed[Targets], experiment: Experiment | None
) -> tuple[list[Problem], list[Problem]]:
    """Problems and warnings of a drill against its target and its experiment (None: it could not be read)."""
    raw, marks = drill.raw, drill.marks
    if not isinstance(raw, dict):
        return [], []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    target = _target(raw, targets)
    if isinstance(target, Problem):
        problems.append(drill_problem(marks, raw, target))
    elif target is not None:
        problems += _uses(raw, marks, target)
        problems += _observed(raw, marks, target)
        problems += _effect(raw, marks, target)
        problems += _simulated(raw, marks, target)
        problems += _markers(raw, marks, target, get(targets.raw, "secrets"))
        problems += markers.secret_problems(
            get(raw, "observe", "positions"), marks, ("observe", "positions"), get(targets.raw, "secrets")
        )
        warnings += _weak(raw, marks, target)
        configuration, secrets = get(targets.raw, "configuration"), get(targets.raw, "secrets")
        for path, use in uses(raw):
            problems += secret_name_problems(use, marks, path, secrets)
            warnings += variable_warnings(use, marks, path, configuration, secrets)
            warnings += exposed_secret_warnings(use, marks, path, secrets)
        if experiment is not None and experiment.value is not None:
            problems += _undo(marks, target, experiment)
    if experiment is not None and experiment.value is not None and not experiment.problems and _no_action(experiment):
        hint = "the method of the experiment needs at least one activity of type action"
        problems.append(marks.problem(("fault",), f"{experiment.file} has no action: nothing would be injected", hint))
    return problems, warnings


def _no_action(experiment: Experiment) -> bool:
    """Whether the method surely has none: a type that is misspelled is told by itself."""
    method = get(experiment.value, "method")
    written = [item for item in (method if isinstance(method, list) else []) if not get(item, "ref")]
    return not experiment.actions and all(get(item, "type") in rejected.TYPES for item in written)


def drill_problem(marks: Marks, raw: dict[str, Any], found: Problem) -> Problem:
    """The same words, at the drill's `target`."""
    path: Path = ("target",) if "target" in raw else ()
    return marks.problem(path, found.message, found.hint)


def _target(raw: dict[str, Any], targets: Parsed[Targets]) -> dict[str, Any] | Problem | None:
    name, known = raw.get("target"), get(targets.raw, "targets")
    if not isinstance(name, str) or not isinstance(known, dict):
        return None
    if name not in known:
        return Problem("", 0, 0, f"{targets.file} has no target `{name}`", hint_for(name, known, what="there are"))
    found = known[name]
    return found if isinstance(found, dict) else None


def activities_of(target: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A target's activities by name, as written."""
    items = target.get("activities")
    return {
        item["name"]: item
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    }


def _uses(raw: dict[str, Any], marks: Marks, target: dict[str, Any]) -> Iterator[Problem]:
    activities = activities_of(target)
    for path, use in uses(raw):
        ref = get(use, "ref")
        if isinstance(ref, str) and ref not in activities:
            hint = hint_for(ref, activities, what=f"activities of {raw['target']}")
            yield marks.problem((*path, "ref"), f"the target `{raw['target']}` has no activity `{ref}`", hint)
            continue
        activity = activities[ref] if isinstance(ref, str) else use
        if path[0] in _PROBES_ONLY and get(activity, "type") == "action":
            yield marks.problem(path, f"`{get(activity, 'name')}` is an action, a probe is needed here")
        if get(use, "arguments") and isinstance(ref, str):
            own = get(activity, "provider", "arguments")
            if own is not None and not isinstance(own, dict):
                hint = f"the arguments of `{ref}` are no mapping; write the activity out"
                yield marks.problem((*path, "arguments"), "arguments cannot be laid over", hint)


def _observed(raw: dict[str, Any], marks: Marks, target: dict[str, Any]) -> Iterator[Problem]:
    if raw.get("mode") != "tabletop" and not get(raw, "observe", "probes", "use") and not target.get("probes"):
        hint = "give the target `probes`, or the drill `observe.probes.use`"
        yield marks.problem((), "nothing observes this drill: it has no probes", hint)
    positions = get(raw, "observe", "positions")
    if isinstance(positions, dict) and not target.get("positions") and "secrets" not in positions:
        hint = "give the target `positions: {store: postgres, secrets: ...}`"
        yield marks.problem(("observe", "positions"), f"the target `{raw['target']}` has no log positions", hint)


def _effect(raw: dict[str, Any], marks: Marks, target: dict[str, Any]) -> Iterator[Problem]:
    """A probe that any answer of which is good could never say that the fault is gone."""
    own = get(raw, "fault", "effect")
    use = {"ref": target.get("effect")} if own is None else own
    activity = activities_of(target).get(str(get(use, "ref")), use)
    if raw.get("fault") == "simulated" or get(activity, "type") != "probe" or get(activity, "tolerance") is not None:
        return
    path: Path = ("target",) if own is None else ("fault", "effect")
    what = f"the effect `{get(activity, 'name')}` has no tolerance: it could not say that the fault is gone"
    yield marks.problem(path, what, "give it one that is met until the undo, and not after it")


def _simulated(raw: dict[str, Any], marks: Marks, target: dict[str, Any]) -> Iterator[Problem]:
    """What a restore to the side needs of its target."""
    if raw.get("fault") != "simulated":
        return
    needed = {
        "side": "probes on the restored copy",
        "source": "the probe that lists what has reached the backup store",
        "discard": "the action that takes the copy away again",
    }
    for key, what in needed.items():
        if not target.get(key):
            hint = f"give it `{key}`: {what}"
            yield marks.problem(("fault",), f"the target `{raw['target']}` has no `{key}`", hint)
    own = {markers.label(item): item for _, item in markers.written(target.get("markers"))}
    laid = {markers.label(item): item for _, item in markers.written(get(raw, "observe", "markers"))}
    if any(not item.get("side") for item in (own or laid).values()):
        hint = "name the secrets block that holds the copy's `dsn`: there the markers are read back"
        yield marks.problem(("fault",), f"the target `{raw['target']}` has no `markers.side`", hint)


def _markers(raw: dict[str, Any], marks: Marks, target: dict[str, Any], secrets: Any) -> Iterator[Problem]:
    """What the drill lays over the target's marker writers, and what it adds to them."""
    own = [markers.label(item) for _, item in markers.written(target.get("markers"))]
    for path, item in markers.written(get(raw, "observe", "markers")):
        at: Path = ("observe", "markers", *path)
        yield from markers.secret_problems(item, marks, at, secrets)
        name = item.get("name")
        if item.get("store") == "http" and not target.get("identity"):
            yield marks.problem(at, "a marker writer over HTTP needs the target's `identity`", "name a probe there")
        if name is None and len(own) > 1:
            hint = f"name one of {', '.join(own)}"
            yield marks.problem(at, f"the target `{raw['target']}` has {len(own)} marker writers", hint)
        elif (not own or (name is not None and name not in own)) and not {"secrets", "insert"} & item.keys():
            hint = "give the target `markers: {store: postgres, secrets: ...}`"
            what = f" `{name}`" if name is not None else ""
            yield marks.problem(at, f"the target `{raw['target']}` has no store for markers{what}", hint)


def _weak(raw: dict[str, Any], marks: Marks, target: dict[str, Any]) -> Iterator[Problem]:
    told = any(target.get(key) or get(raw, "observe", key) for key in ("markers", "positions"))
    if get(raw, "objectives", "rpo") is not None and not told:
        hint = "give the target `markers`, or where nothing may be written `positions`"
        yield marks.problem(("objectives", "rpo"), "`rpo` cannot be measured without markers: it will be unknown", hint)
    if raw.get("fault") == "simulated" and target.get("verify") and "verify" not in raw:
        hint = "the target's own look at production; name probes of the copy"
        yield marks.problem(("fault",), "nothing verifies the restored copy: the drill has no `verify`", hint)
    if "recover" in raw and raw.get("mode", "drill") == "drill" and not target.get("preflight"):
        hint = "a preflight such as is_restorable refuses the fault when no backup can be restored"
        yield marks.problem(("recover",), f"the target `{raw['target']}` has no `preflight`", hint, at_key=True)
    activities = activities_of(target)
    for path, use in uses(raw):
        activity = activities.get(str(get(use, "ref")), use)
        weak = get(activity, "type") == "probe" and get(activity, "tolerance") is None
        if weak and path[0] not in ("recover", "fault"):
            name = get(activity, "name")
            yield marks.problem(path, f"`{name}` has no tolerance: any answer counts as good", "give it one")


def _undo(marks: Marks, target: dict[str, Any], experiment: Experiment) -> Iterator[Problem]:
    if not experiment.undos and target.get("disposable") is not True:
        path: Path = ("fault", "experiment") if ("fault", "experiment") in marks.values else ("fault",)
        yield marks.problem(
            path,
            f"{experiment.file} has no undo (`rollbacks`), and the target is not disposable",
            "write rollbacks that take the fault away, or set `disposable: true` on the target",
        )
