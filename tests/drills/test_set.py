"""The whole drill set: each new drill passes in a short version, and every drill has twins that turn red.

Every drill is put through every sabotage of `twins` that can be done to it; `make test` draws a few of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import twins
import yaml
from twins import experiment, judged, run, sabotage

import workspaces
from drillmark import undo
from exhaustive import sample
from lab_helpers import healthy, order
from waiting import until

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
# A simulated disaster injects nothing: some of the twins have no meaning for it, and it has others of its own.
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
SIDE = "drills/quarterly/orders-side-restore.yaml"
LOCKS = "drills/nightly/orders-lock-pile-up.yaml"
# What each new drill must have measured when it passes.
NEW = [APP_KILL, CONNECTIONS, DISK, LOCKS, SLOW, RANSOM]
RECOVERING = [drill for drill in DRILLS if "/quarterly/" in drill]
TWINS = [
    *((name, drill) for drill in DRILLS for name in twins.ALL),
    *(("day_old_backup", drill) for drill in RECOVERING),
    *(("log_ends_early", drill) for drill in RECOVERING if drill != RANSOM),
    *((name, SIDE) for name in ("archiving_stopped", "foreign_backup", "health_page_lies", "verification_fails")),
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
    # What users of the service were told is measured beside what the database was told.
    stores = {one["store"]: one["writes"]["acknowledged"] for one in result["writers"]}
    assert set(stores) == ({"postgres", "http"} if drill == RANSOM else {"postgres"})
    assert min(stores.values()) > 50
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


def service_that_lies_now_and_then(workspace: Path) -> None:
    """It says 201 to each marker and stores nine of ten: the age of the loss is allowed, the holes are not."""
    with twins.lying_service(twins.lab_of(workspace).service.port, lambda row: row % 10 != 0) as url:
        code, result = twins.run_at(workspace, url, RANSOM)
    database, service = result["writers"]
    assert (code, judged(result, "integrity")["verdict"]) == (1, "failed")
    assert judged(result, "rpo")["verdict"] == "passed"
    assert (service["integrity"], service["writes"]["holes"] > 0) == ("failed", True)
    assert (database["integrity"], database["writes"]["holes"]) == ("passed", 0)


def service_that_stores_nothing(workspace: Path) -> None:
    """All that users were told is lost, whatever the database brought back, and however recent the restore is."""
    with twins.lying_service(twins.lab_of(workspace).service.port, lambda _: False) as url:
        code, result = twins.run_at(workspace, url, RANSOM, objectives={"rpo": "2s"}, phases={"baseline": "8s"})
    database, service = result["writers"]
    assert (code, judged(result, "rpo")["verdict"]) == (1, "failed")
    assert service["rpo"]["observed_seconds"]["lo"] > 2
    assert service["rpo"]["observed_seconds"]["hi"] is None, "the restore's own word does not bound it"
    assert service["writes"]["survived"] == 0 < service["writes"]["lost"]
    assert database["writes"]["survived"] > 0


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


def undo_that_lets_go_nothing(workspace: Path, drill: str) -> None:
    """The proof of the effect is asked once more: what is still there is no undo."""

    def no_undo(changed: dict[str, Any]) -> None:
        changed["rollbacks"] = [sabotage("do_nothing", seconds=0)]

    # What is still locked keeps who verifies waiting.
    phases = {"verify": {"deadline": "20s"}} | lengths(drill).get("phases", {})
    code, result = run(workspace, drill, fault=experiment(workspace, drill, no_undo), phases=phases)
    script = f"import drillmark.faults.{UNDOS[drill].split('.')[0]}\n"
    script += f"print(drillmark.faults.{UNDOS[drill]})"
    environment = os.environ | twins.lab_of(workspace).environment | {"DRILLMARK_RUN": result["run"]}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    workspaces.drillmark(workspace, "resume", result["run"], env={"PYTHONPATH": str(HERE)})
    assert done.returncode == 0, done.stderr
    assert (code, judged(result, "undo")["verdict"]) == (1, "failed")
    assert "not proved gone" in judged(result, "undo")["reason"]


def killed_at(workspace: Path, drill: str, line: str) -> list[str]:
    """Run a drill up to that line, and `kill -9` it there; all that it said."""
    seen: list[str] = []
    command = [sys.executable, "-m", "drillmark", "run", drill]
    with subprocess.Popen(command, cwd=workspace, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        for said in runner.stdout:
            seen.append(said)
            if line in said:
                break
        runner.kill()
    return seen


def runner_killed_while_it_is_held(workspace: Path, drill: str) -> None:
    """kill -9 while the fault is there: it is there still, and a resume takes it away."""
    # A guard that acts by itself meanwhile would leave nothing to see.
    path = workspaces.shorten(workspace, drill, without=["load"], phases={"fault": "20s"}, lease="5m")
    for _ in range(3):  # as `workspaces.run`
        seen = killed_at(workspace, path, "leave the fault in place")
        if not workspaces.too_busy("".join(seen)):
            break
    assert "leave the fault in place" in seen[-1], seen
    lab = twins.lab_of(workspace)
    run_id = workspaces.newest(workspace).name
    try:
        if drill in (CONNECTIONS, LOCKS):
            assert twins.held_by(lab), "it does not end with whoever injected it"
    finally:
        done = workspaces.drillmark(workspace, "resume", run_id)

    assert done.returncode in (0, 1, 3, 4), done.stderr
    assert workspaces.result(workspace, run_id)["verdict"] in ("passed", "unknown"), done.stdout
    assert twins.held_by(lab) == []
    until(lambda: healthy(lab), seconds=60)
    assert order(lab)
    state = undo.read(workspace / "reports/runs" / run_id / "undo.json")
    assert state is None or not state.undoables


SECRETS = {"dsn": "service=orders", "admin_dsn": "service=orders-admin"}
UNDOS = {
    CONNECTIONS: f"connections_exhausted.release(secrets={SECRETS})",
    LOCKS: f"lock_pile_up.unlock(secrets={SECRETS})",
    DISK: f"disk_full.make_room(secrets={SECRETS})",
}
OWN: dict[str, Callable[[Path], None]] = {
    **{
        twin.__name__: twin
        for twin in (
            older_backup_spoiled,
            no_older_backup,
            service_that_lies_now_and_then,
            service_that_stores_nothing,
            supervisor_late,
            slower_than_promised,
        )
    },
    **{f"undo_that_lets_go_nothing-{named(drill)}": partial(undo_that_lets_go_nothing, drill=drill) for drill in UNDOS},
    **{
        f"runner_killed_while_it_is_held-{named(drill)}": partial(runner_killed_while_it_is_held, drill=drill)
        for drill in (*UNDOS, SLOW)
    },
}


@pytest.mark.parametrize("name", sample(list(OWN), 1))
def test_a_twin_of_its_own_turns_red(workspace: Path, name: str):
    OWN[name](workspace)
