"""What a run's first entry keeps of its plan: enough to tell the drill from what it is by now, where no folder is.

What a plan says counts, not the bytes of the definitions that it was made of: a comment makes no new drill. Of
programs, modules and Locust files nobody can tell what a change means, so any change counts.
"""

from __future__ import annotations

import hashlib
from typing import Any

from drillmark.model.digest import canonical
from drillmark.model.frozen import Frozen
from drillmark.model.plan import Plan

_DEFINITIONS = ("drillmark.yaml", "targets.yaml")


class Outline(Frozen):
    """Of one plan.

    Attributes:
        source: the drill's file, from the workspace root.
        sources: path from there -> SHA-256 of every file that the plan was made of.
        says: SHA-256 of what the plan says.
    """

    mode: str
    source: str
    sources: dict[str, str]
    says: str


def of(plan: Plan) -> Outline:
    """The outline of a plan."""
    definitions = {*_DEFINITIONS, plan.source, *([plan.fault.path] if plan.fault else [])}
    said = plan.model_dump(mode="json", exclude_none=True)
    said["sources"] = {path: value for path, value in plan.sources.items() if path not in definitions}
    if plan.fault is not None:
        said["fault"]["sha256"] = ""
    says = hashlib.sha256(canonical(said)).hexdigest()
    return Outline(mode=plan.mode, source=plan.source, sources=plan.sources, says=says)


def read(data: Any) -> Outline | None:
    """What a first entry has under `plan`; None where that is none, as in runs of older versions."""
    try:
        return Outline.model_validate(data)
    except ValueError:
        return None
