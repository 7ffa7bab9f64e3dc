"""What of two journals is compared, and how; and what the documentation lists."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from drillmark.chaos import Event, What

ROOT = Path(__file__).parents[2]
DEVIATIONS = ROOT / "docs" / "reference" / "deviations.md"
FIELDS = {
    "theirs has none",
    "ours has none",
    "status",
    "deviated",
    "before",
    "during",
    "after",
    "run",
    "rollbacks",
    "events",
}


def listed(side: str) -> dict[str, set[str]]:
    """The table in the documentation: experiment -> what differs, with the Chaos Toolkit that is installed.

    `side`: `drill` or `bare`.
    """
    installed = tuple(map(int, metadata.version("chaostoolkit-lib").split(".")[:2]))
    found: dict[str, set[str]] = {}
    for line in DEVIATIONS.read_text(encoding="utf-8").splitlines():
        row = re.match(
            r"\| `([a-z0-9-]+)\.(?:yaml|yml|json)` \| ([a-z, ()]+?)(?: from (\d+)\.(\d+))? \| (.{20,}) \|$", line
        )
        if row:
            applies = row[3] is None or installed >= (int(row[3]), int(row[4]))
            fields = [re.fullmatch(r"([a-z ]+?)(?: \((drill|bare)\))?", field) for field in row[2].split(", ")]
            assert all(fields), line
            its = {field[1] for field in fields if field and field[2] in (None, side)}
            found.setdefault(row[1], set()).update(its if applies else ())
    return found


def seen(journal: dict[str, Any] | None, place: Path) -> dict[str, Any]:
    """What is compared of a journal; of none, nothing."""
    if journal is None:
        return {}
    here = json.loads(json.dumps(journal).replace(str(place), "PLACE"))
    states = here["steady_states"]
    return {
        "status": here["status"],
        "deviated": here["deviated"],
        "before": _steady(states["before"]),
        # How often it was checked depends on the machine; what was seen does not.
        "during": sorted({json.dumps(_steady(state)) for state in states["during"]}),
        "after": _steady(states["after"]),
        "run": _runs(here["run"]),
        "rollbacks": _runs(here["rollbacks"]),
    }


def differences(one: dict[str, Any], other: dict[str, Any], events: list[Event]) -> set[str]:
    """Names of what differs between theirs and ours; `events` where E says otherwise than our own journal."""
    if not one or not other:
        return set() if one == other else {"ours has none" if one else "theirs has none"}
    differing = {field for field in one if one[field] != other[field]}
    # E, on which the engine relies, must say of each activity what the journal beside it says.
    for phase, section in (("method", "run"), ("rollbacks", "rollbacks")):
        told = sorted((e.name, e.status) for e in events if e.event == What.ACTIVITY_ENDED and e.phase == phase)
        # A record without a status is what E calls indeterminate.
        records = [record for part in other[section].values() for record in part]
        if told != sorted((record["name"], record["status"] or "indeterminate") for record in records):
            differing.add("events")
    return differing


def _runs(runs: list[dict[str, Any]] | None) -> dict[str, list[dict[str, Any]]]:
    """Every activity in order; those in the background apart, as they are recorded as the threads happen to begin."""
    parts: dict[str, list[dict[str, Any]]] = {"in order": [], "background": []}
    for run in runs or []:
        parts["background" if run["activity"].get("background") else "in order"].append(_record(run))
    parts["background"].sort(key=json.dumps)
    return parts


def _record(run: dict[str, Any]) -> dict[str, Any]:
    lines = [line.strip() for line in run.get("exception") or () if line.strip()]
    return {
        "name": str(run["activity"].get("name")),
        "status": run.get("status"),
        "output": run["output"],
        "exception": lines[-1] if lines else None,
    }


def _steady(state: dict[str, Any] | None) -> dict[str, Any] | None:
    if state is None:
        return None
    probes = [{**_record(run), "tolerance_met": run.get("tolerance_met")} for run in state["probes"]]
    return {"met": state["steady_state_met"], "probes": probes}
