"""A workspace on disk: found, read, and handed as texts to the pure `define` and `plan`.

The only place where definitions meet files, and where Chaos Toolkit is asked whether it accepts them.
Must never write, start a lab, or run an activity.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from drillmark import plan as planning
from drillmark.define import Experiment, Parsed, read_drill, read_experiment, read_settings, read_targets
from drillmark.define.drill import Drill
from drillmark.define.marks import Path as Keys
from drillmark.define.marks import get
from drillmark.define.nearest import hint_for
from drillmark.define.settings import Settings
from drillmark.define.targets import Targets
from drillmark.errors import InvalidDefinitionError, Problem, RefusedError, UsageError
from drillmark.model.plan import Plan
from drillmark.workspace_files import Files, drill_paths, python_problem

SETTINGS = "drillmark.yaml"
TARGETS = "targets.yaml"


@dataclass(frozen=True, slots=True)
class Checked:
    """A drill, checked with everything that it names.

    Attributes:
        source: its file, from the workspace root.
        plan: what it would do; None where there is any problem.
        problems: everything that is wrong; nothing runs.
        warnings: what is allowed and probably not meant.
        refusals: what `run` refuses, because Drillmark cannot do it yet.
    """

    source: str
    plan: Plan | None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)


def find(start: Path | None = None) -> Path:
    """The root of the workspace: `DRILLMARK_WORKSPACE`, else the nearest folder upward that has `drillmark.yaml`.

    Raises UsageError where there is none.
    """
    named = os.environ.get("DRILLMARK_WORKSPACE")
    if named:
        root = Path(named).expanduser().resolve()
        if (root / SETTINGS).is_file():
            return root
        raise UsageError(f"DRILLMARK_WORKSPACE names {named}, which has no {SETTINGS}")
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / SETTINGS).is_file():
            return folder
    raise UsageError(f"there is no workspace: no {SETTINGS} in {here} or above", hint="`drillmark init DIR` makes one")


def load_settings(root: Path) -> Settings:
    """The workspace's settings. Raises InvalidDefinitionError with every problem."""
    parsed = Workspace(root).settings
    if parsed.value is None:
        raise InvalidDefinitionError(parsed.problems)
    return parsed.value


def load_plan(path: str | Path, *, root: Path | None = None) -> Plan:
    """The plan of a drill that is about to run: the whole chain from its file.

    Raises UsageError (no such file), InvalidDefinitionError (everything that is wrong), RefusedError (it asks for
    what Drillmark cannot do yet).
    """
    workspace = Workspace(find() if root is None else root)
    checked = workspace.check(workspace.drill_source(path))
    if checked.plan is None:
        raise InvalidDefinitionError(checked.problems)
    if checked.refusals:
        raise RefusedError(
            "\n".join(f"{problem.file}:{problem.line}: {problem.message}" for problem in checked.refusals),
            hint=checked.refusals[0].hint,
            code="not-supported",
        )
    return checked.plan


class Workspace:
    """One workspace. Files are read, and Chaos Toolkit is asked, at most once each."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.files = Files(self.root)
        self._verdicts: dict[str, list[str]] = {}

    @cached_property
    def settings(self) -> Parsed[Settings]:
        """`drillmark.yaml`."""
        data = self.files.read(SETTINGS)
        return read_settings(b"", SETTINGS) if isinstance(data, Problem) else read_settings(data, SETTINGS)

    @cached_property
    def targets(self) -> Parsed[Targets]:
        """`targets.yaml`, its activities asked of Chaos Toolkit."""
        data = self.files.read(TARGETS)
        if isinstance(data, Problem):
            parsed = read_targets(b"", TARGETS)
            parsed.problems[:] = [data]
            return parsed
        parsed = read_targets(data, TARGETS)
        if parsed.value is not None:
            parsed.problems.extend(self._activity_problems(parsed))
        return parsed

    def drills(self) -> list[str]:
        """Every drill file of the workspace, from its root."""
        found = [*self.root.glob("drills/**/*.yaml"), *self.root.glob("drills/**/*.yml")]
        return sorted(str(path.relative_to(self.root).as_posix()) for path in found if path.is_file())

    def drill_source(self, path: str | Path) -> str:
        """A drill's file from the workspace root, given from here or from there. Raises UsageError."""
        given = Path(path).expanduser()
        for candidate in (Path.cwd() / given, self.root / given):
            if candidate.is_file():
                resolved = candidate.resolve()
                if resolved.is_relative_to(self.root):
                    return resolved.relative_to(self.root).as_posix()
                raise UsageError(f"{given} lies outside the workspace {self.root}")
        hint = hint_for(str(path), self.drills(), what="drills here")
        raise UsageError(f"there is no drill file {given}", hint=hint)

    def check_all(self, sources: list[str]) -> list[Checked]:
        """Several drills, and that no two of them share an id."""
        checked = [self.check(source) for source in sources]
        first: dict[str, str] = {}
        for item in checked:
            drill = item.plan.drill if item.plan else None
            if drill is not None and first.setdefault(drill, item.source) != item.source:
                message = f"the id `{drill}` is taken by {first[drill]}"
                item.problems.append(Problem(item.source, 1, 1, message, "ids are unique in a workspace"))
        return checked

    def check(self, source: str) -> Checked:
        """One drill with everything that it names; every problem at once."""
        data = self.files.read(source)
        if isinstance(data, Problem):
            return Checked(source, None, [data])
        drill = read_drill(data, source)
        experiment, missing = self._named_files(drill)
        problems = [*self.settings.problems, *self.targets.problems, *drill.problems, *missing]
        warnings = [*self.settings.warnings, *self.targets.warnings, *drill.warnings]
        more, doubtful = planning.check(drill, self.targets, experiment)
        problems += [*more, *self._time_zone_problems(drill)]
        warnings += doubtful
        if experiment is not None:
            problems += [*experiment.problems, *self._rejections(drill, experiment)]
            warnings += experiment.warnings
        if problems or drill.value is None or self.targets.value is None or self.settings.value is None:
            return Checked(source, None, _in_order(problems), _in_order(warnings))
        plan = planning.make(
            drill.value,
            self.targets.value,
            self.settings.value,
            source=source,
            experiment=experiment,
            sources=self._hashes(drill),
        )
        refusals = [*planning.unsupported(drill, self.targets), *self._overlays(plan)]
        return Checked(source, plan, [], _in_order(warnings), refusals)

    def _named_files(self, drill: Parsed[Drill]) -> tuple[Experiment | None, list[Problem]]:
        """The experiment, and a problem at the drill's own line for every file that cannot be read."""
        experiment: Experiment | None = None
        problems: list[Problem] = []
        for keys, path in drill_paths(drill.raw):
            data = self.files.read(path)
            if isinstance(data, Problem):
                problems.append(drill.marks.problem(keys, data.message, data.hint))
            elif keys[0] == "fault":
                experiment = read_experiment(data, path)
            elif keys[0] == "load" and (wrong := python_problem(data)):
                problems.append(drill.marks.problem(keys, f"{path} is not Python: {wrong}"))
        return experiment, problems

    def _rejections(self, drill: Parsed[Drill], experiment: Experiment) -> Iterator[Problem]:
        """What Chaos Toolkit itself says against the experiment, at the fault's line."""
        if experiment.value is None:
            return
        keys: Keys = ("fault", "experiment") if get(drill.raw, "fault", "experiment") else ("fault",)
        for message in self._asked(experiment.file, experiment.value):
            yield drill.marks.problem(keys, f"Chaos Toolkit rejects {experiment.file}: {message}")

    def _activity_problems(self, targets: Parsed[Targets]) -> Iterator[Problem]:
        """Chaos Toolkit is asked once for all activities of all targets, and again for each only if it objects."""
        from drillmark import chaos  # noqa: PLC0415 - starts a child; not needed where only settings are read

        assert targets.value is not None
        every = [
            (("targets", name, "activities", index), activity.as_chaos())
            for name, target in targets.value.targets.items()
            for index, activity in enumerate(target.activities)
        ]
        blocks = {"configuration": targets.value.configuration, "secrets": targets.value.secrets}
        probe = {"title": TARGETS, "description": TARGETS, **blocks, "method": [activity for _, activity in every]}
        objections = self._asked(TARGETS, probe)
        told = False
        for keys, activity in every if objections else ():
            for message in chaos.validate_activity(activity, str(activity["name"])):
                told = True
                yield targets.marks.problem(keys, f"Chaos Toolkit rejects `{activity['name']}`: {message}")
        if objections and not told:
            yield from (targets.marks.problem((), f"Chaos Toolkit rejects {TARGETS}: {text}") for text in objections)

    def _asked(self, path: str, experiment: dict[str, Any]) -> list[str]:
        from drillmark import chaos  # noqa: PLC0415

        if path not in self._verdicts:
            self._verdicts[path] = chaos.validate(experiment, path)
        return self._verdicts[path]

    def _time_zone_problems(self, drill: Parsed[Drill]) -> Iterator[Problem]:
        """A zone that this machine does not know. A machine that knows none at all cannot tell."""
        zone = get(drill.raw, "schedule", "time_zone")
        if not isinstance(zone, str) or drill.value is None:
            return
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zones = sorted(available_timezones())
            if zones:
                hint = hint_for(zone, zones, what="such as").split(", ")[0]
                yield drill.marks.problem(("schedule", "time_zone"), f'there is no time zone "{zone}"', hint)

    def _overlays(self, plan: Plan) -> Iterator[Problem]:
        overlay = f"environments/{plan.target.environment}.yaml"
        if (self.root / overlay).exists():
            yield Problem(overlay, 0, 0, "overlays for environments are not supported yet", "write it in targets.yaml")

    def _hashes(self, drill: Parsed[Drill]) -> dict[str, str]:
        """SHA-256 of every file that the plan was made of."""
        named = [path for keys, path in drill_paths(drill.raw) if keys[0] in ("fault", "load")]
        contents = {path: self.files.read(path) for path in (SETTINGS, TARGETS, drill.file, *named)}
        return {
            path: hashlib.sha256(data).hexdigest()
            for path, data in sorted(contents.items())
            if not isinstance(data, Problem)
        }


def _in_order(problems: list[Problem]) -> list[Problem]:
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda problem: (problem.file, problem.line, problem.column))
