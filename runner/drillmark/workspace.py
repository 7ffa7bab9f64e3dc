"""A workspace on disk: found, read, and handed as texts to the pure `define` and `plan`.

The only place where definitions meet files, and where Chaos Toolkit is asked whether it accepts them.
Must never write, start a lab, or run an activity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from drillmark import places, workspace_chaos, workspace_named, workspace_schedules, workspace_settings
from drillmark import plan as planning
from drillmark.define import Experiment, Parsed, layers, read_drill, read_experiment, read_targets
from drillmark.define.drill import Drill
from drillmark.define.marks import Path as Keys
from drillmark.define.marks import get
from drillmark.define.nearest import hint_for
from drillmark.define.settings import Settings
from drillmark.define.targets import Targets
from drillmark.errors import InvalidDefinitionError, Problem, RefusedError, UsageError
from drillmark.model.plan import Plan
from drillmark.workspace_checks import (
    Checked,
    Opened,
    activities,
    budget_problems,
    in_order,
    quiet_zone_problems,
    rejections,
    taken,
    time_zone_problems,
)
from drillmark.workspace_files import Files, drill_files, drill_paths, python_problem

SETTINGS = places.SETTINGS
TARGETS = "targets.yaml"

T = TypeVar("T", bound=BaseModel)
Said = tuple[dict[str, list[str]], dict[Keys, list[str]]]
Ask = Callable[[Mapping[str, Any], Mapping[Keys, dict[str, Any]]], Said]


def find(start: Path | None = None) -> Path:
    """The root of the workspace; see `places.workspace`. Raises UsageError where there is none."""
    return places.workspace(start)


def load_settings(root: Path, environment: str = "") -> Settings:
    """The workspace's settings; for a drill, with its target's `environment`.

    Raises InvalidDefinitionError with every problem, and UsageError where an environment is named that is not there.
    """
    parsed = Workspace(root).settings_in(environment)
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
    """One workspace. Files are read at most once each; `ask` says what Chaos Toolkit has against them."""

    def __init__(self, root: Path, *, ask: Ask | None = None) -> None:
        self.root = root.resolve()
        self.ask = ask or workspace_chaos.objections
        self.files = Files(self.root)
        self._experiments: dict[str, Experiment] = {}
        self._settings: dict[str, Parsed[Settings]] = {}

    @cached_property
    def settings(self) -> Parsed[Settings]:
        """`drillmark.yaml`, with the overlay of the environment that was named, variables and flags."""
        return self.settings_in("")

    def settings_in(self, target_environment: str) -> Parsed[Settings]:
        """The same for a drill on a target of that environment, whose overlay counts where none was named."""
        environment = workspace_settings.environment_of(self.root, target_environment)
        if environment not in self._settings:
            parsed = layers.combine(workspace_settings.read(self.files, environment))
            unknown = list(quiet_zone_problems(parsed))
            whole = replace(parsed, value=None, problems=[*parsed.problems, *unknown]) if unknown else parsed
            self._settings[environment] = whole
        return self._settings[environment]

    @cached_property
    def targets(self) -> Parsed[Targets]:
        """`targets.yaml`."""
        data = self.files.read(TARGETS)
        return _unread(read_targets, data) if isinstance(data, Problem) else read_targets(data, TARGETS)

    def drills(self) -> list[str]:
        """Every drill file of the workspace, from its root."""
        return sorted(path for path, _ in drill_files(self.root))

    def drill_source(self, path: str | Path) -> str:
        """A drill's file from the workspace root, given from here or from there. Raises UsageError."""
        given = Path(path).expanduser()
        found = [each.resolve() for each in (Path.cwd() / given, self.root / given) if each.is_file()]
        for each in found:
            if each.is_relative_to(self.root):
                return each.relative_to(self.root).as_posix()
        if found:
            raise UsageError(f"{given} lies outside the workspace {self.root}")
        hint = hint_for(str(path), self.drills(), what="drills here")
        raise UsageError(f"there is no drill file {given}", hint=hint)

    def check(self, source: str) -> Checked:
        """One drill with everything that it names; every problem at once."""
        return self.check_all([source])[0]

    def check_all(self, sources: list[str]) -> list[Checked]:
        """Several drills, and that no two of them share an id."""
        opened = [self._open(source) for source in sources]
        of_experiments, of_activities = self.ask(
            {
                item.experiment.file: item.experiment.value
                for item in opened
                if item.experiment and item.experiment.value
            },
            activities(self.targets),
        )
        of_targets = [
            self.targets.marks.problem(keys, f"Chaos Toolkit rejects `{get(self.targets.raw, *keys, 'name')}`: {text}")
            for keys, texts in of_activities.items()
            for text in texts
        ]
        checked: list[Checked] = []
        first: dict[str, str] = {}
        for item in opened:
            said = of_experiments.get(item.experiment.file, []) if item.experiment else []
            found = self._conclude(item, [*of_targets, *rejections(item, said), *taken(item, first)])
            checked.append(found)
        return checked

    @cached_property
    def calendars(self) -> workspace_schedules.Calendars:
        """The calendar files that schedules name, each read once."""
        return workspace_schedules.Calendars(self.files)

    def _open(self, source: str) -> Opened:
        """Read a drill and its files; a file that cannot be read is a problem at the drill's own line."""
        data = self.files.read(source)
        if isinstance(data, Problem):
            return Opened(source, _unread(read_drill, data), None, [])
        drill = read_drill(data, source)
        experiment: Experiment | None = None
        problems: list[Problem] = []
        for keys, path in drill_paths(drill.raw):
            content = self.files.read(path)
            if isinstance(content, Problem):
                problems.append(drill.marks.problem(keys, content.message, content.hint))
            elif keys[0] == "fault":
                experiment = self._experiments.setdefault(path, read_experiment(content, path))
            elif keys[0] == "load" and (wrong := python_problem(content)):
                problems.append(drill.marks.problem(keys, f"{path} is not Python: {wrong}"))
        return Opened(source, drill, experiment, problems)

    def _conclude(self, item: Opened, more: list[Problem]) -> Checked:
        drill, experiment = item.drill, item.experiment
        against, doubtful = planning.check(drill, self.targets, experiment)
        settings = self.settings_in(self._environment(drill))
        problems = [*settings.problems, *self.targets.problems, *drill.problems, *item.problems, *against, *more]
        warnings = [*settings.warnings, *self.targets.warnings, *drill.warnings, *doubtful]
        if experiment is not None:
            problems += experiment.problems
            warnings += experiment.warnings
        wrong_zone = list(time_zone_problems(drill))
        problems += [*wrong_zone, *budget_problems(settings, self.targets)]
        if not wrong_zone:
            unmet, dubious = workspace_schedules.findings(drill, self.calendars)
            problems += unmet
            warnings += dubious
        if problems or drill.value is None or self.targets.value is None or settings.value is None:
            return Checked(item.source, None, in_order(problems), in_order(warnings))
        plan = planning.make(
            drill.value,
            self.targets.value,
            settings.value,
            source=item.source,
            experiment=experiment,
            sources=self._hashes(drill),
        )
        plan = plan.model_copy(update={"sources": plan.sources | workspace_named.hashes(self.root, plan)})
        refusals = [*planning.unsupported(drill), *self._overlays(plan)]
        return Checked(item.source, plan, [], in_order(warnings), refusals)

    def _environment(self, drill: Parsed[Drill]) -> str:
        """The environment in which the drill's target stands, as far as that can be told."""
        targets = self.targets.value.targets if self.targets.value else {}
        target = targets.get(drill.value.target) if drill.value else None
        return target.environment if target else ""

    def _overlays(self, plan: Plan) -> Iterator[Problem]:
        """A drill is held by its own target's environment: another one's settings may allow too much."""
        named, own = workspace_settings.chosen(self.root), plan.target.environment
        overlay = workspace_settings.overlay(own)
        if named and named != own and (self.root / overlay).exists():
            message = (
                f"target {plan.target.name} stands in environment {own}, and the settings of {named} were asked for"
            )
            yield Problem(overlay, 1, 1, message, f"run it with --environment {own}, or without")

    def _hashes(self, drill: Parsed[Drill]) -> dict[str, str]:
        """SHA-256 of every file that the plan was made of."""
        named = [path for keys, path in drill_paths(drill.raw) if keys[0] in ("fault", "load")]
        environment = workspace_settings.environment_of(self.root, self._environment(drill))
        overlays = [workspace_settings.overlay(environment)] if environment else []
        contents = {path: self.files.read(path) for path in (SETTINGS, *overlays, TARGETS, drill.file, *named)}
        return {
            path: hashlib.sha256(data).hexdigest()
            for path, data in sorted(contents.items())
            if not isinstance(data, Problem)
        }


def _unread(read: Callable[[bytes, str], Parsed[T]], problem: Problem) -> Parsed[T]:
    """A file that could not be read, as if it had been."""
    parsed = read(b"", problem.file)
    return replace(parsed, value=None, raw=None, problems=[problem])
