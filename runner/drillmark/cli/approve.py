"""`drillmark approve`: approve a plan, withdraw that, or list what is approved. Wires, and judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from drillmark.cli import terminal
from drillmark.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from drillmark.decisions import Approval

_HASH = 12


@click.command()
@click.argument("what", metavar="[RUN|DRILL]", required=False)
@click.option("--by", metavar="NAME", help="Who approves, as drillmark.yaml names it; or who withdraws.")
@click.option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
@click.option("--expires", metavar="TIME", help="Until when: a duration (2d), or a time with its zone.")
@click.option(
    "--requester", metavar="NAME", help="Who asked for it; whose run was refused, or the owner, unless given."
)
@click.option("--withdraw", is_flag=True, help="Withdraw what is approved of it; a run that rests on it stops.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(what: str | None, *, withdraw: bool, as_json: bool, **given: str | None) -> None:
    """Approve a drill that reaches production.

    DRILL is a file or an id: its plan is approved as it stands by now. RUN is a run that was refused (`last` is the
    newest): the plan that it wanted is. A changed plan needs a new approval. Without either, what holds is listed.
    """
    from drillmark import workspace
    from drillmark.engine import deciding

    root = workspace.find()
    if what is None:
        if any(given.values()) or withdraw:
            raise UsageError("name the drill or the run that is meant", hint="drillmark approve DRILL --by NAME ...")
        _list(root, as_json=as_json)
    elif withdraw:
        if given["expires"] or given["requester"]:
            raise UsageError("--withdraw takes --by and --reason alone")
        for one in deciding.withdraw(root, what, by=given["by"], reason=given["reason"]):
            if not as_json:
                click.echo(f"withdrawn: {_words(one)}")
        if as_json:
            terminal.echo_json({"what": what, "withdrawn_by": given["by"], "reason": given["reason"]})
    else:
        meant = deciding.wanted(root, what, given["requester"])
        made = deciding.approve(root, meant, by=given["by"], reason=given["reason"], expires=given["expires"])
        if as_json:
            terminal.echo_json(_json(made) | {"needed": meant.needed})
            return
        click.echo(f"approved: {_words(made)}")
        if not meant.needed:
            click.echo("(it does not reach production, and needs no approval)")


def _list(root: Path, *, as_json: bool) -> None:
    from drillmark.engine import deciding

    held = deciding.state(root)
    if as_json:
        terminal.echo_json({"approvals": [_json(one) for one in held.approvals]})
        return
    for one in held.approvals:
        click.echo(_words(one))
    if not held.approvals:
        click.echo("nothing is approved")


def _words(one: Approval) -> str:
    from drillmark.report.words import harmless

    return harmless(
        f"{one.drill}, plan {one.plan_hash[:_HASH]}, by {one.approver} for {one.requester}, "
        f"until {one.expires:%Y-%m-%d %H:%M %Z}: {one.reason}"
    )


def _json(one: Approval) -> dict[str, Any]:
    return one.as_json() | {"drill": one.drill, "run": one.run or None, "at": one.at.isoformat()}
