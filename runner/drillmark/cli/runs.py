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
    rows = read(root)
    if as_json:
        terminal.echo_json(rows)
        return
    if not rows:
        click.echo("no runs yet; start one: drillmark run DRILL")
        return
    shown = rows if everything else rows[:_SHOWN]
    for number, line in enumerate(
        terminal.table([_cells(row) for row in shown], ["run", "target", "verdict", "RTA", "RPA"])
    ):
        style = (
            "head"
            if number == 0
            else _STYLE.get(shown[number - 1]["state"], _STYLE.get(shown[number - 1]["verdict"], ""))
        )
        terminal.echo_lines([(line, style)])
    if len(shown) < len(rows):
        click.echo(f"and {len(rows) - len(shown)} older: drillmark list --all")


def read(root: Path) -> list[dict[str, Any]]:
    """What is known of each run, newest first."""
    from drillmark.journal.store import JournalStore

    path = root / ".drillmark" / "journal.sqlite3"
    if not path.exists():
        return []
    store = JournalStore(path)
    try:
        rows = store.runs()
    finally:
        store.close()
    return [_about(root, row.run, row.drill, row.target, row.directory) for row in reversed(rows)]


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
    numbers = [
        words.interval(sentences.interval(row[key])) if row[key] else "-" for key in ("rta_seconds", "rpa_seconds")
    ]
    return [row["run"], words.harmless(row["target"]), verdict, *numbers]


_STYLE = {"running": "head", "lost": "doubt", "passed": "good", "failed": "bad", "unknown": "doubt"}
