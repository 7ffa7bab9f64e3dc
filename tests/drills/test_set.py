"""The whole drill set: each new drill passes in a short version, and every drill has twins that turn red.

Every drill is put through every sabotage of `twins` that can be done to it; `make test` draws a few of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import twins
import yaml
from twins import experiment, judged, run, sabotage

import workspaces
from exhaustive import sample

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
# A simulated disaster injects nothing, and has twins of its own.
DRILLS = [
    path.relative_to(ROOT).as_posix()
    for path in sorted(ROOT.glob("drills/*/orders-*.yaml"))
    if isinstance(yaml.safe_load(path.read_text())["fault"], dict)
]
RANSOM = "drills/quarterly/orders-ransom.yaml"
APP_KILL = "drills/nightly/orders-app-kill.yaml"
CONNECTIONS = "drills/nightly/orders-connections-exhausted.yaml"
SLOW = "drills/nightly/orders-slow-queries.yaml"
DISK = "drills/nightly/orders-disk-full.yaml"
LOCKS = "drills/nightly/orders-lock-pile-up.yaml"
# What each new drill must have measured when it passes.
NEW = [APP_KILL, CONNECTIONS, DISK, LOCKS, SLOW, RANSOM]
RECOVERING = [drill for drill in DRILLS if "/quarterly/" in drill]
TWINS = [
    *((name, drill) for drill in DRILLS for name in twins.ALL),
    *(("day_old_backup", drill) for drill in RECOVERING),
    *(("log_ends_early", drill) for drill in RECOVERING if drill != RANSOM),
]

pytestmark = [pytest.mark.lab, pytest.mark.drill]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory):
    place = workspaces.make(tmp_path_factory.mktemp("set") / "ws")
    yield place
    workspaces.drillmark(place, "lab", "down")


def lengths(drill: str) -> dict[str, Any]:
    # Until each of the service's sessions has met the full disk.
    return {"phases": {"fault": "12s"}} if drill == DISK else {}


@pytest.mark.parametrize("drill", NEW, ids=lambda drill: Path(drill).stem)
def test_each_new_drill_passes(workspace: Path, drill: str):
    code, result = run(workspace, drill, **lengths(drill))

    assert (code, result["verdict"]) == (0, "passed"), result
    assert judged(result, "undo")["verdict"] == "passed"
    assert result["writes"]["acknowledged"] > 100
    assert result["writes"]["holes"] == result["writes"]["unexpected"] == 0
    rta = result["rto"]["observed_seconds"]
    if drill in (CONNECTIONS, DISK, LOCKS):
        assert rta is None, "service was down as long as the fault was there"
        assert result["rto"]["reason"] == "ended by undo"
        assert judged(result, "after_undo")["observed"]["hi"] <= 15
    elif drill == SLOW:
        assert rta["lo"] == 0
    else:
        assert 0 < rta["lo"] < rta["hi"] < 60


def named(case: Any) -> str:
    return Path(case).stem if isinstance(case, str) else str(case)


@pytest.mark.parametrize(("twin", "drill"), sample(TWINS, 2), ids=named)
def test_a_sabotaged_twin_turns_red(workspace: Path, twin: str, drill: str):
    (twins.ALL | twins.RECOVERED)[twin](workspace, drill)


# What is peculiar to one drill


def older_backup_spoiled(workspace: Path) -> None:
    """After it was proved: the restore looks again, and names the file."""
    body = twins.source(workspace, RANSOM)
    code, result = run(workspace, RANSOM, recover=[sabotage("spoil_the_newest_backup"), *body["recover"]])
    try:
        assert (code, judged(result, "actions")["verdict"]) == (1, "failed")
        assert "PG_VERSION" in str(result)
    finally:
        # The spoiled one is the older of the two once the other is back.
        for path in (workspace / ".drillmark/lab/backups").glob("*/PG_VERSION"):
            path.write_text("18\n")


def no_older_backup(workspace: Path) -> None:
    """With nothing else to recover from, nothing is lost."""

    def without_an_older(changed: dict[str, Any]) -> None:
        changed["method"].pop(0)

    lab = twins.lab_of(workspace)
    newest = max(lab.layout.backups.iterdir())
    aside = workspace / "other-backups"
    aside.mkdir()
    others = [path for path in lab.layout.backups.iterdir() if path != newest]
    for path in others:
        path.rename(aside / path.name)
    try:
        code, result = run(workspace, RANSOM, fault=experiment(workspace, RANSOM, without_an_older))
    finally:
        for path in aside.iterdir():
            path.rename(lab.layout.backups / path.name)
        aside.rmdir()
    assert code in (1, 4)
    assert "without the newest nothing would be left" in str(result)
    assert judged(result, "undo")["verdict"] == "passed"
    assert newest.exists()
    assert lab.primary == twins.lab_of(workspace).primary


def supervisor_late(workspace: Path) -> None:
    """The service comes back, but not in time."""
    late = sabotage("delay_the_supervisor", seconds=9)
    fault = experiment(workspace, APP_KILL, lambda changed: changed["method"].append(late))
    code, result = run(workspace, APP_KILL, fault=fault, objectives={"rto": "5s"}, phases={"fault": "25s"})
    assert (code, result["rto"]["verdict"]) == (1, "failed")
    assert result["rto"]["observed_seconds"]["lo"] > 5


def slower_than_promised(workspace: Path) -> None:
    def slower(changed: dict[str, Any]) -> None:
        changed["method"][0]["provider"]["arguments"]["seconds"] = 2.5

    fault = experiment(workspace, SLOW, slower)
    code, result = run(workspace, SLOW, fault=fault, objectives={"rto": "30s", "slo": {"availability": "99%"}})
    assert code == 1
    assert judged(result, "slo.availability")["verdict"] == "failed"
    assert "fault" in judged(result, "slo.availability")["reason"]


OWN = {twin.__name__: twin for twin in (older_backup_spoiled, no_older_backup, supervisor_late, slower_than_promised)}


@pytest.mark.parametrize("name", sample(list(OWN), 1))
def test_a_twin_of_its_own_turns_red(workspace: Path, name: str):
    OWN[name](workspace)
