"""`drillmark new`: a drill made from an experiment, by asking. Writes one file, never over another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drillmark.cli import terminal
from drillmark.errors import InvalidDefinitionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillmark.plan.false_greens import FalseGreen
    from drillmark.workspace import Checked, Workspace

NONE = "none"
_OFFERED = ("drills/nightly", "drills/quarterly", "drills/gameday")


@click.command()
@click.argument("experiment", type=click.Path())
@click.option("--id", "drill_id", help="The drill's id. [the experiment's name]")
@click.option("--title", help="What the drill shows, in a sentence. [the experiment's title]")
@click.option("--owner", help="Who answers for it.")
@click.option("--target", help="A target of targets.yaml.")
@click.option("--load", help=f"A Locust file of the workspace, or `{NONE}`.")
@click.option("--recover", help=f"Activities of the target that recover it, in order: a,b,c; or `{NONE}`.")
@click.option("--rto", help=f"Recovery time objective (30m, 4h), or `{NONE}` for the default.")
@click.option("--rpo", help=f"Recovery point objective (5m, 1h), or `{NONE}` for the default.")
@click.option("--output", type=click.Path(), help="The file to write. [drills/nightly/ID.yaml]")
@click.option("--no-input", is_flag=True, help="Ask nothing: what is not given takes its default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and ask nothing.")
def command(experiment: str, *, no_input: bool, as_json: bool, **given: str | None) -> None:
    """Make a drill from an experiment, by asking.

    EXPERIMENT is a Chaos Toolkit experiment of this workspace. Asked is what is not given as an option: target, load,
    recovery, objectives. Written is a drill that `drillmark validate` accepts; nothing is overwritten. Then it says
    in which ways such a drill could turn green falsely, and what would exclude each.
    """
    from drillmark import workspace as workspaces

    space = workspaces.Workspace(workspaces.find())
    path = _inside(space, experiment)
    ask = _silent if no_input or as_json else _prompt
    drill, output = _answers(space, path, given, ask)
    text = _text(drill)
    written = _write(space, output, text)
    checked = _checked(space.root, written)
    from drillmark.plan import false_greens

    ways = false_greens.open_ways(checked.plan) if checked.plan else []
    if as_json:
        left = [{"name": way.name, "what": way.what, "remedy": way.remedy} for way in ways]
        excluded = list(false_greens.ALWAYS_EXCLUDED)
        terminal.echo_json({"file": written, "drill": drill, "not_excluded": left, "always_excluded": excluded})
        return
    terminal.echo_lines(_told(written, checked, ways, len(false_greens.ALWAYS_EXCLUDED)))


def _inside(space: Workspace, given: str) -> str:
    """The experiment's path from the workspace's root."""
    for folder in (Path.cwd(), space.root):
        path = (folder / Path(given).expanduser()).resolve()
        if path.is_file() and path.is_relative_to(space.root):
            return path.relative_to(space.root).as_posix()
        if path.is_file():
            raise UsageError(f"{given} lies outside the workspace {space.root}", hint="copy it to experiments/ first")
    raise UsageError(f"there is no experiment {given}")


def _answers(
    space: Workspace, path: str, given: dict[str, str | None], ask: Callable[..., str]
) -> tuple[dict[str, Any], str]:
    """The drill, from options and answers, and where it goes. Raises UsageError."""
    from drillmark.define import read_experiment

    targets = space.targets.value
    if targets is None:
        raise InvalidDefinitionError(space.targets.problems)
    if not targets.targets:
        raise UsageError("targets.yaml has no target", hint="a drill needs one: see docs/reference/targets.md")
    read = read_experiment((space.root / path).read_bytes(), path)
    if read.value is None or read.problems:
        raise InvalidDefinitionError(read.problems)
    name = re.sub(r"[^a-z0-9]+", "-", Path(path).stem.lower()).strip("-") or "drill"
    drill: dict[str, Any] = {
        "id": given["drill_id"] or ask("--id", "Id of the drill", name),
        "title": given["title"] or ask("--title", "What does it show?", str(read.value.get("title") or name)),
        "owner": given["owner"] or ask("--owner", "Who answers for it?", ""),
        "target": given["target"] or ask("--target", "Target", next(iter(targets.targets)), list(targets.targets)),
    }
    if drill["target"] not in targets.targets:
        there = ", ".join(targets.targets)
        raise UsageError(f"there is no target {drill['target']}", hint=f"targets.yaml has: {there}")
    drill["fault"] = path
    loads = [each.relative_to(space.root).as_posix() for each in sorted(space.root.glob("experiments/load/*.py"))]
    load = given["load"] or ask("--load", "Load", loads[0] if loads else NONE, [*loads, NONE])
    if load != NONE:
        drill["load"] = load
    activities = [one.name for one in targets.targets[drill["target"]].activities]
    recover = given["recover"] or ask("--recover", f"Recovery, in order (of: {', '.join(activities)})", NONE)
    if recover != NONE:
        drill["recover"] = [{"ref": one.strip()} for one in recover.split(",") if one.strip()]
    objectives = {
        one: answer
        for one, words in (("rto", "Recovery time objective"), ("rpo", "Recovery point objective"))
        if (answer := given[one] or ask(f"--{one}", words, NONE)) != NONE
    }
    if objectives:
        drill["objectives"] = objectives
    return drill, given["output"] or ask("--output", "File", f"{_OFFERED[0]}/{drill['id']}.yaml")


def _prompt(option: str, words: str, default: str, choices: list[str] | None = None) -> str:
    if choices:
        words += f" ({', '.join(choices)})"
    try:
        return str(click.prompt(words, default=default or None, err=True)).strip()
    except click.Abort as error:
        raise UsageError(f"no answer to: {words}", hint=f"give {option}, or --no-input for the defaults") from error


def _silent(option: str, words: str, default: str, choices: list[str] | None = None) -> str:
    del choices
    if not default:
        raise UsageError(f"nobody says: {words}", hint=f"give {option}")
    return default


def _text(drill: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(drill, sort_keys=False, allow_unicode=True, width=110)


def _write(space: Workspace, output: str, text: str) -> str:
    """Write the drill where nothing is yet. Returns its path from the root."""
    folder = Path.cwd() if Path.cwd().resolve().is_relative_to(space.root) and output.startswith(".") else space.root
    path = (folder / Path(output).expanduser()).resolve()
    if not path.is_relative_to(space.root / "drills") or path.suffix not in {".yaml", ".yml"}:
        raise UsageError(f"{output} is no place for a drill", hint="drills lie under drills/, as .yaml")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{output} is there already", hint="nothing was written; choose another --output") from None
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror or error}") from error
    return path.relative_to(space.root).as_posix()


def _checked(root: Path, source: str) -> Checked:
    """The drill as `drillmark validate` sees it. One that it does not accept is not left behind."""
    from drillmark.workspace import Workspace

    checked = Workspace(root).check(source)
    if checked.problems:
        (root / source).unlink()
        raise InvalidDefinitionError(checked.problems)
    return checked


def _told(written: str, checked: Checked, ways: list[FalseGreen], excluded: int) -> list[tuple[str, str]]:
    from drillmark.cli import called
    from drillmark.report import words

    lines = [(f"wrote {written}", "good")]
    lines += [(words.harmless(f"not yet: {problem.message}"), "doubt") for problem in checked.refusals]
    if ways:
        lines += [("", ""), ("It could still turn green falsely:", "head")]
    for way in ways:
        lines += [(f"  {way.name}: {way.what}", "doubt"), (f"    to exclude it: {way.remedy}", "dim")]
    lines += [("", ""), (f"{excluded} other ways are excluded by how Drillmark measures.", "")]
    return [*lines, (f"next    {called.command()} plan {written}", "head")]
