"""The restore to the side, and its sabotaged twins: fed with later log, altered log, no copy, a production that fails.

Nothing is injected in any of them, production goes on, and no process and no directory of the copy is left.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import twins
from twins import judged, sabotage

import workspaces
from exhaustive import sample

SIDE = "drills/quarterly/orders-side-restore.yaml"
OBJECTIVES = {"rto": "2m", "rpo": "2m", "slo": {"availability": "50%"}}
HERE = Path(__file__).parent

pytestmark = [pytest.mark.lab, pytest.mark.drill]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = workspaces.make(tmp_path_factory.mktemp("side") / "ws")
    yield place
    workspaces.drillmark(place, "lab", "down")


def run(workspace: Path, **fields) -> tuple[int, dict]:
    code, result = twins.run(workspace, SIDE, **({"objectives": OBJECTIVES} | fields))
    assert_nothing_left(workspace)
    return code, result


def assert_nothing_left(workspace: Path) -> None:
    """No copy, no process of one, nothing in the undo file; production was never fenced nor led elsewhere."""
    side = workspace / ".drillmark/lab/side"
    deadline = time.monotonic() + 60
    while left := [*(side.iterdir() if side.is_dir() else []), *workspaces.processes_of(f"{side}/restored-")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
    undo = json.loads((workspaces.newest(workspace) / "undo.json").read_text())
    assert undo["undoables"] == []
    lab = json.loads((workspace / ".drillmark/lab/lab.json").read_text())
    assert lab["primary"] == "main"
    assert list(lab["clusters"]) == ["main"]


def test_the_drill_itself_passes(workspace):
    def positions_too(targets):
        targets["targets"]["orders-db"]["positions"] = {"secrets": "orders-db"}

    code, result = run(workspace, targets=positions_too)
    assert (code, result["verdict"]) == (0, "passed"), result["reasons"]
    assert "simulated disaster" in result["flags"]
    assert result["stamps"]["t0"] == {"lo": 0.0, "hi": 0.0}
    assert result["rto"]["observed_seconds"]["hi"] is not None
    assert result["writes"]["acknowledged"] > 50
    assert result["writes"]["acknowledged_after"] > 0
    assert result["writes"]["unexpected"] == 0
    for name in ("production", "source", "undo", "verification"):
        assert judged(result, name)["verdict"] == "passed", judged(result, name)
    # The same age of the data, told in two ways: the intervals must meet.
    markers = result["durations"]["rpa"]["seconds"]
    position = result["durations"]["rpa_by_position"]
    assert any(flag.startswith("by position") for flag in position["flags"])
    assert position["seconds"]["lo"] <= markers["hi"]
    assert markers["lo"] <= position["seconds"]["hi"]
    assert workspaces.drillmark(workspace, "verify", "last").returncode == 0
    why = workspaces.drillmark(workspace, "show", "last", "--why", "rto").stdout
    assert "samples/side.dms" in why


def test_log_archived_after_the_disaster(workspace):
    """A restore from the live archive, which by then has log that a real disaster would have left nobody."""
    code, result = run(workspace, recover=[sabotage("restore_live_to_the_side")])
    assert code == 1
    assert result["writes"]["unexpected"] > 0
    assert judged(result, "integrity")["verdict"] == "failed"


def test_a_copy_that_never_answers(workspace):
    phases = {"recover": {"deadline": "15s"}}
    recover, without = [sabotage("do_nothing", seconds=1)], ["load", "verify"]
    code, result = run(
        workspace, recover=recover, without=without, phases=phases, objectives=OBJECTIVES | {"rto": "5s"}
    )
    assert code == 1
    assert result["rto"]["verdict"] == "failed"
    assert result["rto"]["observed_seconds"]["hi"] is None


def test_production_that_fails_in_the_middle(workspace):
    """Somebody kills production's server meanwhile: the copy is restored all the same, and the run has failed."""
    strict = OBJECTIVES | {"slo": {"availability": "99.9%"}}
    recover = [sabotage("kill_production"), {"ref": "restore-to-the-side"}]
    code, result = run(workspace, recover=recover, objectives=strict)
    assert code == 1
    assert judged(result, "production")["verdict"] == "failed"
    assert result["rto"]["observed_seconds"]["hi"] is not None


def test_a_copy_of_another_system(workspace):
    """A foreign backup is whole, restores well, and is somebody else's."""
    verify = [{"ref": "copy-of-same-cluster", "arguments": {"system_identifier": "1"}}]
    code, result = run(workspace, verify=verify)
    assert code == 1
    assert judged(result, "verification")["verdict"] == "failed"
    assert "users reach system" in judged(result, "verification")["reason"]
    assert result["rto"]["observed_seconds"]["hi"] is None


@pytest.mark.parametrize(("role", "objective"), sample([("prober", "production"), ("side", "rto")], 1))
def test_a_dead_prober(workspace, role, objective):
    """Of production, or of the copy: what it would have seen is not known, and no pass."""
    recover = [{"ref": "restore-to-the-side"}, sabotage("kill_child", role=role)]
    code, result = run(workspace, recover=recover, objectives=OBJECTIVES | {"rto": "5s"})
    assert code in (1, 4)
    assert judged(result, objective)["verdict"] in ("unknown", "failed"), result["objectives"]


def test_a_stale_backup(workspace):
    """What could be restored is older than allowed: nothing is declared."""

    def nothing_is_recent_enough(targets):
        own = targets["targets"]["orders-db"]["activities"]
        restorable = next(one for one in own if one["name"] == "restorable")
        restorable["provider"]["arguments"]["within"] = "0s"

    code, result = run(workspace, targets=nothing_is_recent_enough)
    assert code == 1
    assert judged(result, "preflight")["verdict"] == "failed"
    assert "s old; 0s is allowed" in judged(result, "preflight")["reason"]
    assert result["stamps"]["I"] is None

    def again(targets):
        nothing_is_recent_enough(targets)
        own = targets["targets"]["orders-db"]["activities"]
        next(one for one in own if one["name"] == "restorable")["provider"]["arguments"]["within"] = "1h"

    workspaces.shorten(workspace, SIDE, targets=again)


# The last one: it leaves the archive damaged.


def test_log_that_was_altered_after_the_disaster(workspace):
    code, result = run(workspace, recover=[sabotage("alter_listed_log"), {"ref": "restore-to-the-side"}])
    assert code == 1
    assert judged(result, "actions")["verdict"] == "failed"
    assert "its hash differs" in judged(result, "actions")["reason"]
