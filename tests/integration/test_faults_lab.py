"""The shipped faults on a real lab: their effect lasts until the undo, the undo may come at any time, twice, half way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from chaoslib.exceptions import ActivityFailed

from drillmark import lab as labs
from drillmark import postgres, processes, site
from drillmark.faults import bad_migration, postgres_crash, postgres_host
from drillmark.faults.deeds import Deed
from drillmark.recovery import postgres_pitr, probes
from lab_helpers import healthy, order, request
from waiting import until

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted(ROOT.glob("experiments/*.yaml"))


def run() -> str:
    return os.environ["DRILLMARK_RUN"]


def status(up: Any) -> dict[str, Any]:
    return site.status(str(up.control))


def count_of_orders(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        return connection.execute("select count(*) from orders").fetchone()[0]


def refused(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=2).close()
    except psycopg.OperationalError:
        return True
    return False


def recover(dsn: str, **to: Any) -> dict[str, Any]:
    postgres_pitr.fence()
    report = postgres_pitr.restore(dsn=dsn, **to)["drillmark"]
    postgres_pitr.switch_over(dsn=dsn)
    return report


def test_a_lost_host_stays_lost_until_its_undo(up: Any, dsn: str):
    host = site.find(None)
    with psycopg.connect(dsn, autocommit=True) as connection:
        answer = postgres_host.lose_host()
        # Not one more commit, also not through files that were open.
        with pytest.raises(psycopg.OperationalError):
            connection.execute("insert into orders (customer, item, quantity, price) values ('a', 'b', 1, 1)")
    assert answer["killed"] >= 5
    assert not host.data_directory.exists()
    assert refused(dsn)
    with pytest.raises(AssertionError, match="not within"):
        until(lambda: not postgres_host.is_lost(), seconds=2)

    assert postgres_host.bring_host_back() == f"{host.name} is back"
    assert postgres_host.bring_host_back() == f"{host.name} is back"

    assert postgres_host.is_lost() is False
    until(lambda: healthy(up), seconds=60)
    assert status(up)["clusters"][host.name]["held"] is False


def test_a_lost_host_saves_no_more_log(up: Any, dsn: str):
    """What the server had started dies with it: an archive_command at work would make the loss smaller than it is."""
    host = site.find(None)
    archiving = subprocess.Popen(["sleep", "60"], cwd=host.data_directory)
    process = processes.identify(archiving.pid)
    assert process is not None

    postgres_host.lose_host()

    assert not processes.is_alive(process)
    archiving.wait()
    assert postgres_host.bring_host_back() == f"{host.name} is back"


@pytest.mark.parametrize("reached", ["written down", "held", "moved", "all"])
def test_the_undo_of_a_loss_that_was_cut_short(up: Any, dsn: str, reached: str):
    host = site.find(None)
    aside = host.data_directory.with_name(f"lost-{run()}-{host.name}")
    Deed.begin(postgres_host.FAULT, host, aside=str(aside))
    if reached != "written down":
        host.hold()
    if reached in {"moved", "all"}:
        host.data_directory.rename(aside)
    if reached == "all":
        assert postgres.stop(aside, "kill")

    assert postgres_host.bring_host_back() == f"{host.name} is back"

    until(lambda: healthy(up), seconds=60)
    assert not aside.exists()
    assert order(up)


def test_an_undo_without_a_fault_touches_nothing(up: Any, dsn: str):
    host = site.find(None)
    before = postgres.postmaster(host.data_directory)
    assert postgres_host.bring_host_back() == "no host was lost"
    assert postgres_crash.ensure_running() == f"{host.name} takes connections"
    assert "nothing of orders lies aside" in bad_migration.put_rows_back("orders", dsn=dsn)
    assert postgres_host.is_lost() is False
    assert postgres_crash.was_restarted() is False
    assert bad_migration.rows_are_gone("orders", dsn=dsn) is False
    assert postgres.postmaster(host.data_directory) == before


def test_a_second_loss_of_what_is_lost_is_refused(up: Any, dsn: str):
    host = site.find(None)
    postgres_host.lose_host()
    with pytest.raises(ActivityFailed, match="is there already"):
        postgres_host.lose_host()
    assert postgres_host.bring_host_back() == f"{host.name} is back"


def test_lost_restored_and_left_aside(up: Any, dsn: str):
    assert postgres_pitr.is_restorable(dsn=dsn) is True
    assert probes.remember_rows("orders", columns=["id", "customer", "price"], dsn=dsn) is True
    kept = [order(up) for _ in range(5)]
    with psycopg.connect(dsn, autocommit=True) as connection:
        name = connection.execute("select pg_walfile_name(pg_current_wal_lsn())").fetchone()[0]
        connection.execute("select pg_switch_wal()")
    until((up.layout.archive / name).exists, seconds=60)
    lost = order(up)

    postgres_host.lose_host()
    report = recover(dsn)

    url = f"{os.environ['ORDERS_URL']}/orders/latest"
    assert probes.rows_match("orders", read_url=url, dsn=dsn) is True
    assert probes.same_cluster(dsn=dsn) is True
    assert [request(up, "GET", f"/orders/{number}")[0] for number in kept] == [200] * 5
    assert request(up, "GET", f"/orders/{lost}")[0] == 404
    assert report["last_transaction_ns"] is not None, "the lab runs on this host"
    assert postgres_host.is_lost() is True, "until the undo"

    assert "another system has taken its place" in postgres_host.bring_host_back()

    assert postgres_host.is_lost() is False
    after = status(up)
    assert after["primary"] == f"restored-{run()}"
    assert not any(cluster["held"] for cluster in after["clusters"].values())
    assert postgres_pitr.discard_unserved() == [], "what serves is never discarded"
    assert postgres_pitr.fence()["already"] is True, "nor fenced by the run that restored it"
    assert order(up)


def test_a_restore_that_nobody_switched_to_is_discarded_by_the_undo(up: Any, dsn: str):
    host = site.find(None)
    timelines = sorted(up.layout.archive.glob("*.history"))
    postgres_host.lose_host()
    report = postgres_pitr.restore(dsn=dsn)["drillmark"]

    assert postgres_host.bring_host_back() == f"{host.name} is back"
    assert postgres_pitr.discard_unserved() == [f"restored-{run()}"]

    assert not Path(report["data_directory"]).exists()
    assert postgres.server_processes(Path(report["data_directory"])) == []
    until(lambda: labs.status(Path(up.directory)).state == "up", seconds=60)
    assert sorted(up.layout.archive.glob("*.history")) == timelines, "it left no trace in the archive"


def test_one_that_was_adopted_and_not_switched_to_is_discarded_too(up: Any, dsn: str):
    host = site.find(None)
    report = postgres_pitr.restore(dsn=dsn)["drillmark"]
    site.adopt(str(up.control), f"restored-{run()}", Path(report["data_directory"]), report["port"])

    assert postgres_pitr.discard_unserved() == [f"restored-{run()}"]

    until(lambda: labs.status(Path(up.directory)).state == "up", seconds=60)
    assert status(up)["primary"] == host.name


def test_a_crash_is_seen_until_its_undo_though_the_supervisor_restarts(up: Any, dsn: str):
    assert postgres_crash.was_restarted() is False
    host = site.find(None)
    before = postgres.postmaster(host.data_directory)

    assert postgres_crash.kill_server()["killed"] >= 5

    assert postgres_crash.was_restarted() is True
    until(lambda: healthy(up), seconds=60)
    assert postgres_crash.was_restarted() is True
    assert postgres.postmaster(host.data_directory) != before
    assert postgres_crash.ensure_running() == f"{host.name} takes connections"
    assert postgres_crash.was_restarted() is False


def test_a_wrong_delete_and_the_restore_to_just_before_it(up: Any, dsn: str):
    probes.remember_rows("orders", dsn=dsn)
    newest = order(up)
    position = postgres_pitr.log_position(dsn=dsn)
    answer = bad_migration.delete_rows("orders", "id % 10 = 0", dsn=dsn)
    assert answer["deleted"] > 50
    assert bad_migration.rows_are_gone("orders", dsn=dsn) is True
    with pytest.raises(ActivityFailed, match="before the fault"):
        probes.rows_match("orders", dsn=dsn)
    with pytest.raises(ActivityFailed):
        bad_migration.delete_rows("orders", "id % 10 = 1", dsn=dsn)

    recover(dsn, to=position, inclusive=False)

    assert probes.rows_match("orders", dsn=dsn) is True
    assert request(up, "GET", f"/orders/{newest}")[0] == 200, "what was there before the fault is there"
    assert bad_migration.rows_are_gone("orders", dsn=dsn) is False
    assert "takes connections" in postgres_crash.ensure_running()
    assert "nothing of orders lies aside" in bad_migration.put_rows_back("orders", dsn=dsn)
    assert not any(cluster["held"] for cluster in status(up)["clusters"].values())


def test_a_wrong_delete_is_undone_where_the_old_system_serves_also_after_a_fence(up: Any, dsn: str):
    host = site.find(None)
    probes.remember_rows("orders", dsn=dsn)
    deleted = bad_migration.delete_rows("orders", "id % 10 = 0", dsn=dsn)["deleted"]
    for table, where, said in (
        ("orders", "id % 10 = 1", "lie aside already: nothing was done"),
        ("orders_deleted_by_drillmark", "false", "0 rows .* nothing was done"),
        ("orders_deleted_by_drillmark", "no_such_column = 1", "the store refuses: .*no_such_column"),
    ):
        with pytest.raises(ActivityFailed, match=said):
            bad_migration.delete_rows(table, where, dsn=dsn)
    # The recovery had begun when the drill was aborted.
    postgres_pitr.fence()
    assert refused(dsn)

    assert postgres_crash.ensure_running() == f"{host.name} takes connections"
    assert bad_migration.put_rows_back("orders", dsn=dsn) == f"{deleted} rows of orders are back"
    assert "nothing" in bad_migration.put_rows_back("orders", dsn=dsn)

    assert probes.rows_match("orders", dsn=dsn) is True
    assert bad_migration.rows_are_gone("orders", dsn=dsn) is False


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_shipped_experiments_run_under_plain_chaos_run(
    up: Any, dsn: str, tmp_path: Path, experiment: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("DRILLMARK_RUN", "DRILLMARK_RUN_DIR"):
        monkeypatch.delenv(name)
    before = count_of_orders(dsn)
    chaos = Path(sys.executable).with_name("chaos")

    # `run` validates first, as `chaos validate` does.
    done = subprocess.run(
        [chaos, "--no-version-check", "run", "--rollback-strategy=always", str(experiment)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert "Experiment looks valid" in done.stderr + done.stdout
    journal = json.loads((tmp_path / "journal.json").read_text())
    activities = [*journal["run"], *journal["rollbacks"]]
    # Right after its kill the service is not even there to be asked for the steady state.
    assert journal["status"] in ({"completed", "failed"} if experiment.stem == "orders-app-kill" else {"completed"})
    assert [(activity["activity"]["name"], activity["status"]) for activity in activities] == [
        (activity["name"], "succeeded")
        for part in ("method", "rollbacks")
        for activity in yaml.safe_load(experiment.read_text())[part]
    ]
    until(lambda: labs.status(Path(up.directory)).state == "up" and healthy(up), seconds=60)
    assert count_of_orders(dsn) == before
