"""What a drill may say and Drillmark cannot do yet.

`run` refuses it: nothing that was asked for is left out in silence. A schedule is not among it: a drill with one
may be run by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from drillmark.define.drill import Drill
from drillmark.define.marks import get
from drillmark.define.parse import Parsed
from drillmark.define.targets import Targets
from drillmark.errors import Problem


def unsupported(drill: Parsed[Drill], targets: Parsed[Targets]) -> list[Problem]:
    """Everything that `run` refuses for now, each with its place in the drill file."""
    return list(_found(drill, targets))


def _found(drill: Parsed[Drill], targets: Parsed[Targets]) -> Iterator[Problem]:
    raw, marks = drill.raw, drill.marks
    if raw.get("mode") in ("tabletop", "gameday"):
        yield marks.problem(("mode",), f"mode {raw['mode']} is not supported yet", "write mode: drill, or check")
    if get(targets.raw, "targets", str(raw.get("target")), "environment") == "production":
        hint = "windows and approvals will come with a later version; rehearse in another environment"
        yield marks.problem(("target",), "drills in production are not supported yet", hint)
