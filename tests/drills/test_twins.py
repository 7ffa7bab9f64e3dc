"""Every shipped drill can fail: its sabotaged twins turn red, each with its exit code and for the right reason.

Objectives are tight (5 s and 1 s), so that a number that merely became wider shows as well.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import twins
import yaml
from twins import judged, sabotage

import workspaces

LOST = "drills/quarterly/orders-db-lost.yaml"
CRASH = "drills/nightly/orders-db-crash.yaml"
TIGHT = {"rto": "5s", "rpo": "1s", "slo": {"availability": "90%"}}
HERE = Path(__file__).parent

pytestmark = [pytest.mark.lab, pytest.mark.drill]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = workspaces.make(tmp_path_factory.mktemp("twins") / "ws")
    yield place
    workspaces.drillmark(place, "lab", "down")


def run(workspace: Path, base: str, **fields) -> tuple[int, dict]:
    """Run a short variant with tight objectives; returns exit code and result."""
    return twins.run(workspace, base, **({"objectives": TIGHT} | fields))


def backups(workspace: Path) -> list[Path]:
    return sorted((workspace / ".drillmark/lab/backups").iterdir())


def open_gap(workspace: Path, objective: str) -> list[dict]:
    gaps = [yaml.safe_load(path.read_text()) for path in (workspace / "reports/gaps").glob("GAP-*.yaml")]
    return [gap for gap in gaps if gap["objective"] == objective and gap["state"] == "open"]


STEPS = [{"ref": "fence"}, {"ref": "restore-latest"}, {"ref": "switch-over"}]


def test_the_drill_itself_is_measured(workspace):
    """Without sabotage: the same objectives are judged on real numbers, and integrity holds."""
    code, result = run(workspace, LOST, objectives={"rto": "2m", "rpo": "1m"})
    assert (code, result["verdict"]) == (0, "passed"), result
    assert 0 < result["rto"]["observed_seconds"]["lo"] < 60
    assert result["writes"]["acknowledged"] > 100
    assert result["writes"]["holes"] == result["writes"]["unexpected"] == 0


def test_empty_database_restored(workspace):
    code, result = run(workspace, LOST, recover=[STEPS[0], sabotage("restore_empty"), STEPS[2]])
    assert code == 1
    assert result["rpo"]["verdict"] == "failed"
    # Of a row that was changed again its last write alone can be proved lost.
    writes = result["writes"]
    assert writes["lost"] + writes["unproved"] == writes["acknowledged"] > writes["unproved"]
    assert judged(result, "verification")["verdict"] == "failed"
    assert open_gap(workspace, "rpo")


def test_a_restore_that_forgets_the_switch(workspace):
    phases = {"recover": {"deadline": "20s"}}
    code, result = run(workspace, LOST, recover=STEPS[:2], phases=phases)
    assert code == 1
    assert result["rto"]["verdict"] == "failed"
    assert result["rto"]["observed_seconds"]["hi"] is None
    assert result["rto"]["observed_seconds"]["lo"] > 5


def test_an_undo_that_repairs_instead_of_the_recovery(workspace):
    """The undo brings the service back, the recovery did nothing: that must not count."""
    phases = {"recover": {"deadline": "15s"}}
    code, result = run(workspace, LOST, recover=[sabotage("do_nothing")], phases=phases)
    assert code == 1
    assert result["rto"]["verdict"] == "failed"
    assert result["rto"]["observed_seconds"]["hi"] is None
    assert judged(result, "undo")["verdict"] == "passed"


def test_a_dead_prober(workspace):
    code, result = run(workspace, LOST, recover=[STEPS[0], sabotage("kill_child", role="prober"), *STEPS[1:]])
    assert code in (1, 4)
    assert result["rto"]["verdict"] in ("unknown", "failed")
    assert result["rto"]["observed_seconds"]["hi"] is None
    assert open_gap(workspace, "rto")


def test_a_dead_load(workspace):
    objectives = {"rto": "2m", "rpo": "1m", "slo": {"latency": {"p95": "2s"}, "error_rate": "50%"}}
    recover = [*STEPS, sabotage("kill_child", role="load")]
    code, result = run(workspace, LOST, recover=recover, objectives=objectives, without=[])
    assert code == 4
    assert judged(result, "slo.latency.p95")["verdict"] == "unknown"
    assert "load" in judged(result, "slo.latency.p95")["reason"]
    assert result["rto"]["verdict"] == "unknown"


def test_an_undo_that_fails(workspace):
    experiment = yaml.safe_load((workspace / "experiments/orders-db-lost.yaml").read_text())
    experiment["rollbacks"].insert(0, sabotage("fail"))
    (workspace / "experiments/undo-fails.yaml").write_text(yaml.safe_dump(experiment))
    fault = {"experiment": "experiments/undo-fails.yaml", "effect": {"ref": "db-is-lost"}}
    code, result = run(workspace, LOST, fault=fault, objectives={"rto": "2m", "rpo": "1m"})
    assert code == 1
    assert judged(result, "undo")["verdict"] == "failed"
    assert "sabotaged" in judged(result, "undo")["reason"]
    # The other rollbacks ran all the same; what is left is undone by a resume, or refused to the next drill.
    entries = [json.loads(line) for line in (workspaces.newest(workspace) / "journal.jsonl").read_text().splitlines()]
    undo = [e for e in entries if e["kind"] == "outcome" and e["data"]["effect"] == "undo"][-1]
    assert [one["status"] for one in undo["data"]["rollbacks"]] == ["failed", "succeeded", "succeeded"]
    busy, _ = run(workspace, LOST, fault="experiments/orders-db-lost.yaml")
    assert busy == 3
    again = workspaces.drillmark(workspace, "resume", entries[0]["run"], env={"PYTHONPATH": str(HERE)})
    assert again.returncode == 3
    assert "still cannot be undone" in again.stderr
    # A person takes the broken rollback out of the way.
    undo_file = workspace / "reports/runs" / entries[0]["run"] / "undo.json"
    state = json.loads(undo_file.read_text())
    state["undoables"][0]["experiment"]["rollbacks"].pop(0)
    undo_file.write_text(json.dumps(state))
    assert workspaces.drillmark(workspace, "resume", entries[0]["run"]).returncode == 1
    assert json.loads(undo_file.read_text())["undoables"] == []


def test_a_fault_that_did_not_take(workspace):
    experiment = yaml.safe_load((workspace / "experiments/orders-db-lost.yaml").read_text())
    experiment["method"] = [sabotage("do_nothing", seconds=0)]
    (workspace / "experiments/harmless.yaml").write_text(yaml.safe_dump(experiment))
    fault = {
        "experiment": "experiments/harmless.yaml",
        "effect": {
            "ref": "db-is-lost",
        },
    }
    code, result = run(workspace, LOST, fault=fault)
    assert code == 4
    assert "fault not proved" in json.dumps(result)
    assert result["rto"]["verdict"] == "unknown"


# The last ones: they leave backups and archive damaged.


def test_an_archive_with_a_hole(workspace):
    archive = workspace / ".drillmark/lab/archive"
    newest_backup = backups(workspace)[-1]
    start = (newest_backup / "backup_label").read_text().split("file ", 1)[1][:24]
    done = workspaces.drillmark(workspace, "run", "drills/nightly/orders-db-crash.yaml", "--timeout", "1s")
    assert done.returncode == 3  # only to have the lab write some log
    segments = sorted(path for path in archive.iterdir() if len(path.name) == 24 and path.name > start)
    assert len(segments) >= 2, segments
    hidden = archive / f"hidden-{segments[0].name}"
    segments[0].rename(hidden)
    try:
        code, result = run(workspace, LOST)
        assert code == 1
        assert judged(result, "preflight")["verdict"] == "failed"
        assert segments[0].name in judged(result, "preflight")["reason"]
        assert result["stamps"]["I"] is None, "nothing was injected"
        assert open_gap(workspace, "preflight")
    finally:
        hidden.rename(segments[0])


def test_the_newest_backup_corrupt(workspace):
    newest = backups(workspace)[-1]
    victim = max(
        (path for path in (newest / "base").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    body = bytearray(victim.read_bytes())
    body[len(body) // 2] ^= 0xFF
    victim.write_bytes(body)
    code, result = run(workspace, LOST)
    assert code == 1
    assert judged(result, "preflight")["verdict"] == "failed"
    assert victim.name in judged(result, "preflight")["reason"]

    # And where nobody looks beforehand, the restore itself refuses it.
    def no_preflight(targets):
        targets["targets"]["orders-db"]["preflight"] = ["orders-remembered"]

    code, result = run(workspace, LOST, targets=no_preflight)
    assert code == 1
    assert judged(result, "actions")["verdict"] == "failed" or "restore-latest" in json.dumps(result["reasons"])
