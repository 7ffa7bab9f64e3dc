"""What a drill may say and Drillmark cannot do yet.

`run` refuses it: nothing that was asked for is left out in silence. A schedule is not among it: a drill with one
may be run by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from drillmark.define.drill import Drill
from drillmark.define.parse import Parsed
from drillmark.errors import Problem


def unsupported(drill: Parsed[Drill]) -> list[Problem]:
    """Everything that `run` refuses for now, each with its place in the drill file."""
    return list(_found(drill))


def _found(drill: Parsed[Drill]) -> Iterator[Problem]:
    raw, marks = drill.raw, drill.marks
    if raw.get("mode") in ("tabletop", "gameday"):
        yield marks.problem(("mode",), f"mode {raw['mode']} is not supported yet", "write mode: drill, or check")
