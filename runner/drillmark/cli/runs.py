"""`drillmark list`: the runs of a workspace, newest first, with what they showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from drillmark.cli import terminal
from drillmark.errors import DrillmarkError

_SHOWN = 50


@click.command("list")
@click.option("--all", "everything", is_flag=True, help=f"Every run, not only the newest {_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, everything: bool, as_json: bool) -> None:
    """List the runs of this workspace, newest first."""
    from drillmark import places

    root = places.with_runs()
    shown, count = read(root, None if everything or as_json else _SHOWN)
    if as_json:
        terminal.echo_json(shown)
        return
    if not shown:
        click.echo("no runs yet; start one: drillmark run DRILL")
        return
    for number, line in enumerate(
        terminal.table([_cells(row) for row in shown], ["run", "target", "verdict", "RTA", "RPA"])
    ):
        style = (
            "head"
            if number == 0
            else _STYLE.get(shown[number - 1]["state"], _STYLE.get(shown[number - 1]["verdict"], ""))
        )
        terminal.echo_lines([(line, style)])
    if len(shown) < count:
        click.echo(f"and {count - len(shown)} older: drillmark list --all")


def read(root: Path, at_most: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """What is known of the newest runs (None: of every one), newest first; and how many runs there are."""
    from drillmark.engine.paths import WorkspacePaths
    from drillmark.journal.opening import open_if_there

    store = open_if_there(WorkspacePaths(root))
    if store is None:
        return [], 0
    try:
        count = store.count()
        rows = store.newest(count if at_most is None else at_most)
    finally:
        store.close()
    found = [_about(root, row.run, row.drill, row.target, row.directory) for row in rows]
    _mark_outdated(root, found)
    return found, count


def _mark_outdated(root: Path, rows: list[dict[str, Any]]) -> None:
    """Say of the newest pass of each drill whether its plan is another one by now."""
    from drillmark import last_pass

    seen: set[str] = set()
    for row in rows:
        row["needs_new_run"] = False
        if row["verdict"] == "passed" and row["drill"] not in seen:
            seen.add(row["drill"])
            row["needs_new_run"] = last_pass.changed_since(root, root / row["directory"])


def _about(root: Path, run: str, drill: str, target: str, directory: str) -> dict[str, Any]:
    from drillmark.cli.states import state_of
    from drillmark.report import files

    state = state_of(root / directory)
    try:
        result = files.read(root / directory) if state == "concluded" else None
    except DrillmarkError:
        result = None
    return {
        "run": run,
        "drill": drill,
        "target": target,
        "directory": directory,
        "state": state,
        "verdict": result["verdict"] if result else None,
        "aborted": result["aborted"] if result else None,
        "exit_code": result["exit_code"] if result else None,
        "started": result["started"] if result else None,
        "rta_seconds": result["rto"]["observed_seconds"] if result else None,
        "rpa_seconds": result["rpo"]["observed_seconds"] if result else None,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    from drillmark.report import sentences, words

    if row["state"] == "running":
        verdict = "running"
    elif row["verdict"] is None:
        verdict = "lost: resume it" if row["state"] == "lost" else "no result"
    else:
        verdict = "aborted" if row["aborted"] else words.outcome(row["verdict"])
        verdict += ", needs a new run" if row["needs_new_run"] else ""
    numbers = [
        words.interval(sentences.interval(row[key])) if row[key] else "-" for key in ("rta_seconds", "rpa_seconds")
    ]
    return [row["run"], words.harmless(row["target"]), verdict, *numbers]


_STYLE = {"running": "head", "lost": "doubt", "passed": "good", "failed": "bad", "unknown": "doubt"}
