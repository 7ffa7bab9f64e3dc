"""`drillmark gaps`: what the register holds, worst and soonest due first."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from drillmark.cli import terminal

if TYPE_CHECKING:
    from drillmark.gaps import Stored
    from drillmark.model.gap import Gap

_WIDTH = 100
_OWNER_CHARACTERS = 200


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Closed gaps too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, *, everything: bool, as_json: bool) -> None:
    """List the gaps that drills have found: open ones, worst and soonest due first."""
    if context.invoked_subcommand is not None:
        return
    from drillmark import gaps, places

    root = places.with_runs()
    stored = sorted(gaps.read(root), key=_rank)
    shown = [item for item in stored if everything or item.gap.state == "open"]
    if as_json:
        terminal.echo_json(
            [
                item.gap.model_dump(mode="json")
                | {"file": str(item.path.relative_to(root)) if item.path is not None else None}
                for item in shown
            ]
        )
        return
    today = datetime.now(tz=UTC).date().isoformat()
    for item in shown:
        terminal.echo_lines(lines(item.gap, today))
    closed = sum(item.gap.state == "closed" for item in stored)
    said = f"{len(stored) - closed} open, {closed} closed"
    click.echo(said if stored else "no gaps are on file")


@command.command("set")
@click.argument("gap")
@click.option("--owner", help="Who is to close it.")
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), help="Until when: a day, as 2026-12-31.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def set_(gap: str, *, owner: str | None, due: datetime | None, as_json: bool) -> None:
    """Give the open gap GAP another owner, another day when it is due, or both.

    Later runs keep what was set as long as the gap is open; in files as in the database.
    """
    from drillmark import gaps, places
    from drillmark.errors import UsageError

    change: dict[str, str] = {}
    if owner is not None:
        if not owner.strip() or len(owner) > _OWNER_CHARACTERS or not owner.isprintable():
            raise UsageError("--owner is no name", hint=f"at most {_OWNER_CHARACTERS} characters on one line")
        change["owner"] = owner.strip()
    if due is not None:
        change["due"] = due.date().isoformat()
    if not change:
        raise UsageError("nothing is to be set", hint="give --owner, --due or both")
    done = gaps.amend(places.with_runs(), gap, change)
    if as_json:
        terminal.echo_json(done.model_dump(mode="json"))
    else:
        terminal.echo_lines(lines(done, datetime.now(tz=UTC).date().isoformat())[:2])


def lines(gap: Gap, today: str) -> list[tuple[str, str]]:
    """One gap for people."""
    from drillmark.report import words

    if gap.state == "closed":
        return [
            (f"{gap.id}  closed by {words.harmless(gap.closed_by or '?')}  {words.harmless(gap.title)}", "dim"),
            ("", ""),
        ]
    overdue = gap.due < today
    due = f"overdue since {gap.due}" if overdue else f"due {gap.due}"
    style = "bad" if overdue or gap.severity == "high" else "doubt" if gap.severity == "medium" else ""
    told: list[tuple[str, str]] = [
        (words.harmless(f"{gap.id}  {gap.severity}, {due}, owner {gap.owner}"), style),
        (words.harmless(f"  {gap.title}"), "head"),
        (words.harmless(f"  observed {gap.observed}; objective {gap.objective_value}"), ""),
        (words.harmless(f"  seen in {words.plural(len(gap.occurrences), 'run')}, last {gap.occurrences[-1].run}"), ""),
    ]
    advice = textwrap.wrap(words.harmless(gap.recommendation), _WIDTH)
    told += [(f"  {line}", "dim") for line in advice]
    return [*told, ("", "")]


def _rank(item: Stored) -> tuple[int, int, str, str]:
    severity = {"high": 0, "medium": 1, "low": 2}[item.gap.severity]
    return int(item.gap.state == "closed"), severity, item.gap.due, item.gap.id
