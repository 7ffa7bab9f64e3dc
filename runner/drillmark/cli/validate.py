"""`drillmark validate`: every error of the definitions, each with its place. Nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from drillmark.cli import terminal
from drillmark.errors import EXIT_INVALID

if TYPE_CHECKING:
    from drillmark.errors import Problem
    from drillmark.last_pass import LastPass
    from drillmark.workspace import Checked, Workspace


@click.command()
@click.argument("files", nargs=-1, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], *, as_json: bool) -> None:
    """Check definitions and name every error, with its place.

    FILES are drills, `targets.yaml` or `drillmark.yaml`; without any, the whole workspace is checked. Exits with 2
    where anything is wrong.
    """
    from drillmark import last_pass
    from drillmark import workspace as workspaces

    workspace = workspaces.Workspace(workspaces.find())
    sources = [workspace.drill_source(path) for path in files] if files else workspace.drills()
    own = {workspaces.SETTINGS, workspaces.TARGETS}
    checked = workspace.check_all([source for source in sources if source not in own])
    problems, warnings = _all(workspace, checked)
    refusals = [problem for item in checked for problem in item.refusals]
    plans = {item.plan.drill: item.plan for item in checked if item.plan}
    passes = last_pass.of(workspace.root, plans, plans)
    if as_json:
        terminal.echo_json(_document(checked, problems, warnings, refusals, passes))
    else:
        terminal.echo_lines(_lines(checked, problems, warnings, refusals, passes))
    if problems:
        context.exit(EXIT_INVALID)


def _all(workspace: Workspace, checked: list[Checked]) -> tuple[list[Problem], list[Problem]]:
    """Problems and warnings of the settings, the targets and all drills, each once."""
    problems = [*workspace.settings.problems, *workspace.targets.problems]
    warnings = [*workspace.settings.warnings, *workspace.targets.warnings]
    for item in checked:
        problems += item.problems
        warnings += item.warnings
    return list(dict.fromkeys(problems)), list(dict.fromkeys(warnings))


def _lines(
    checked: list[Checked],
    problems: list[Problem],
    warnings: list[Problem],
    refusals: list[Problem],
    passes: dict[str, LastPass],
) -> list[tuple[str, str]]:
    from drillmark.report import words

    lines: list[tuple[str, str]] = []
    for kind, style, found in (
        ("", "bad", problems),
        ("warning: ", "doubt", warnings),
        ("not yet: ", "doubt", refusals),
    ):
        for problem in found:
            place, _, message = str(problem).partition("\n")[0].partition(": ")
            lines.append((words.harmless(f"{place}: {kind}{message}"), style))
            if problem.hint:
                lines.append((words.harmless(f"  HINT: {problem.hint}"), "dim"))
    lines += [
        (words.harmless(f"{item.source}: {passes[item.plan.drill].words}"), "doubt")
        for item in checked
        if item.plan and item.plan.drill in passes and passes[item.plan.drill].changed
    ]
    good = sum(1 for item in checked if not item.problems)
    said = f"{words.plural(good, 'drill')} good"
    if problems:
        said += f", {words.plural(len(checked) - good, 'drill')} wrong: {words.plural(len(problems), 'problem')}"
    if warnings:
        said += f", {words.plural(len(warnings), 'warning')}"
    if refusals:
        said += "; what is marked `not yet` is refused by `drillmark run`"
    return [*lines, (said, "bad" if problems else "good")]


def _document(
    checked: list[Checked],
    problems: list[Problem],
    warnings: list[Problem],
    refusals: list[Problem],
    passes: dict[str, LastPass],
) -> dict[str, Any]:
    from drillmark import plan as planning

    return {
        "valid": not problems,
        "drills": [
            {
                "source": item.source,
                "id": item.plan.drill if item.plan else None,
                "plan_hash": planning.digest(item.plan) if item.plan else None,
                "valid": not item.problems,
                "last_pass": found.run if found else None,
                "needs_new_run": bool(found and found.changed),
            }
            for item in checked
            for found in [passes.get(item.plan.drill) if item.plan else None]
        ],
        "problems": [as_json(problem) for problem in problems],
        "warnings": [as_json(problem) for problem in warnings],
        "refusals": [as_json(problem) for problem in refusals],
    }


def as_json(problem: Problem) -> dict[str, Any]:
    """A problem for machines; `line` and `column` count from 1, 0 means the whole file."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
    }
