"""`drillmark discover`: the actions and probes that experiments may use. Nothing runs."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import click

from drillmark.cli import terminal

# Chaos Toolkit hands these over by itself.
_HANDED_OVER = frozenset({"configuration", "secrets"})


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the form of `chaos discover`.")
def command(*, as_json: bool) -> None:
    """List the actions and probes that experiments may use.

    Faults with their undo and their proof, recoveries, checks, probes: each with its arguments. They are ordinary
    Chaos Toolkit activities, and `chaos discover --no-install drillmark` lists the same.
    """
    from drillmark import discovery

    found = discovery.discover()
    if as_json:
        terminal.echo_json(found)
        return
    lines: list[tuple[str, str]] = []
    for module, activities in groupby(found["activities"], key=lambda one: one["mod"]):
        lines += [("", ""), (str(module), "head")] if lines else [(str(module), "head")]
        for one in activities:
            lines.append((f"  {one['type']:6}  {one['name']}({_arguments(one)})", ""))
            lines.append((f"          {one['doc'].partition(chr(10))[0]}", "dim"))
    lines += [(f"not listed, as an extra of theirs is not installed: {name}", "doubt") for name in found["unavailable"]]
    terminal.echo_lines(lines)


def _arguments(activity: dict[str, Any]) -> str:
    shown = [one for one in activity["arguments"] if one["name"] not in _HANDED_OVER]
    return ", ".join(one["name"] + (f"={one['default']!r}" if "default" in one else "") for one in shown)
