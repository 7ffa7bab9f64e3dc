"""The faults of the drill set that hold no session: service killed, queries slow, disk full, ransom, nothing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chaoslib.exceptions import ActivityFailed

from drillmark import lab as labs
from drillmark import postgres, processes, site
from drillmark.faults import (
    disk_full,
    nothing,
    postgres_crash,
    postgres_host,
    ransom,
    room,
    service_killed,
    slow_queries,
)
from drillmark.faults.deeds import Deed, place
from drillmark.recovery import backups, postgres_pitr
from lab_helpers import healthy, order, request
from waiting import until

pytestmark = pytest.mark.lab

FILLER = "insert into orders (customer, item, quantity, price) select 'f', 'f', 1, 0 from generate_series(1, 200000)"
SMALL_DISK = Path(__file__).parent / "small_disk.py"


def url(up: Any) -> str:
    return f"{up.environment['ORDERS_URL']}/health"


# A service is killed


def test_a_killed_service_is_seen_until_its_undo_though_the_supervisor_restarts(up: Any):
    before = labs.status(Path(up.directory)).service.process
    assert service_killed.was_killed() is False

    assert service_killed.kill_service()["killed"] == before.pid

    assert not processes.is_alive(before)
    assert service_killed.was_killed() is True
    until(lambda: healthy(up), seconds=60)
    assert service_killed.was_killed() is True
    with pytest.raises(ActivityFailed, match="in effect already"):
        service_killed.kill_service()
    assert service_killed.ensure_answering(url(up)) == "the service answers"
    assert service_killed.ensure_answering(url(up)) == "the service answers"
    assert service_killed.was_killed() is False


def test_the_undo_of_a_kill_that_was_cut_short_or_never_began(up: Any):
    assert service_killed.ensure_answering(url(up)) == "the service answers"
    living = labs.status(Path(up.directory)).service.process
    Deed.begin(service_killed.FAULT, place(None), process=living.as_json())
    assert service_killed.was_killed() is False, "it lives"
    assert service_killed.ensure_answering(url(up)) == "the service answers"
    assert labs.status(Path(up.directory)).service.process == living


def test_a_service_of_ones_own_is_known_by_its_pid_file(up: Any, tmp_path: Path):
    own = subprocess.Popen(["sleep", "600"])
    file = tmp_path / "own.pid"
    file.write_text(f"{own.pid}\n")
    assert service_killed.kill_service(pid_file=str(file)) == {"killed": own.pid}
    assert own.wait() == -signal.SIGKILL
    assert service_killed.was_killed() is True
    with pytest.raises(ActivityFailed, match=r"does not answer at http://127.0.0.1:9/ after 0.3 s"):
        service_killed.ensure_answering("http://127.0.0.1:9/", timeout_seconds=0.3)
    service_killed.ensure_answering(url(up))
    for text, said in ((f"{own.pid}", "nothing to kill"), ("no pid", "cannot read a pid")):
        file.write_text(text)
        with pytest.raises(ActivityFailed, match=said):
            service_killed.kill_service(pid_file=str(file))


# Queries are slow


def seconds_of(dsn: str, statement: str) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        begun = time.monotonic()
        connection.execute(statement)
        return time.monotonic() - begun


def test_each_statement_is_slow_until_the_undo(up: Any, dsn: str):
    rows = count(dsn)
    assert slow_queries.is_slow("orders", dsn=dsn) is False

    slow_queries.slow_down("orders", seconds=0.5, dsn=dsn)

    assert slow_queries.is_slow("orders", dsn=dsn) is True
    # Once for each statement, not for each of a thousand rows.
    assert 0.5 <= seconds_of(dsn, "select count(*) from orders") < 60
    assert seconds_of(dsn, "update orders set quantity = quantity where id = 1") >= 0.5
    assert count(dsn) == rows, "no row is hidden"
    assert order(up), "and writing goes on"
    with pytest.raises(ActivityFailed, match="row security already: nothing was done"):
        slow_queries.slow_down("orders", dsn=dsn)

    assert slow_queries.speed_up("orders", dsn=dsn) == "orders is as quick as before"
    assert slow_queries.speed_up("orders", dsn=dsn) == "orders is not slowed"
    assert slow_queries.is_slow("orders", dsn=dsn) is False
    assert count(dsn) == rows + 1
    with psycopg.connect(dsn) as connection:
        state = connection.execute(
            "select relrowsecurity, relforcerowsecurity from pg_class where relname = 'orders'"
        ).fetchone()
    assert state == (False, False)


def count(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        return connection.execute("select count(*) from orders").fetchone()[0]


def test_slowing_down_is_done_whole_or_not_at_all(up: Any, dsn: str, secrets: dict[str, str]):
    """Cut short before its commit, nothing of it is there; and who has row security of his own keeps it."""
    with psycopg.connect(secrets["admin_dsn"]) as other:
        other.execute("lock table orders in access share mode")
        slowing = subprocess.Popen(
            [sys.executable, "-c", "from drillmark.faults.slow_queries import *; slow_down('orders')"],
            stderr=subprocess.DEVNULL,
        )
        waiting = "select count(*) from pg_locks where not granted and relation = 'orders'::regclass"
        with psycopg.connect(secrets["admin_dsn"], autocommit=True) as admin:
            until(lambda: admin.execute(waiting).fetchone()[0], seconds=60)
            slowing.kill()
            slowing.wait()
            admin.execute(
                "select pg_terminate_backend(pid) from pg_locks where not granted and relation = 'orders'::regclass"
            )
            until(lambda: not admin.execute(waiting).fetchone()[0], seconds=60)
    assert slow_queries.is_slow("orders", dsn=dsn) is False
    for table, seconds, said in (
        ("nowhere", 0.1, "no table nowhere"),
        ("orders", 0, "not a delay"),
        ("orders", 61, "not a delay"),
    ):
        with pytest.raises(ActivityFailed, match=said):
            slow_queries.slow_down(table, seconds=seconds, dsn=dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("alter table orders enable row level security")
        with pytest.raises(ActivityFailed, match="row security already"):
            slow_queries.slow_down("orders", dsn=dsn)
        assert slow_queries.speed_up("orders", dsn=dsn) == "orders is not slowed"
        row = connection.execute("select relrowsecurity from pg_class where relname = 'orders'").fetchone()
        assert row == (True,)
        connection.execute("alter table orders disable row level security")


# The disk is full


def test_what_needs_room_is_refused_until_there_is_some(up: Any, dsn: str):
    rows = count(dsn)
    assert disk_full.is_full() is False

    answer = disk_full.fill("orders", FILLER, dsn=dsn)

    assert answer["way"] == "quota"
    assert disk_full.is_full() is True
    with psycopg.connect(dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.Error, match="could not extend file"):
            connection.execute(FILLER)
    assert request(up, "GET", "/orders/latest")[0] == 200
    assert room.is_vacuumed(dsn, "orders") is False, "vacuum would find room again"
    assert count(dsn) == rows, "nothing of the filler stays"
    with pytest.raises(ActivityFailed, match="in effect already"):
        disk_full.fill("orders", FILLER, dsn=dsn)

    name = site.find(None).name
    assert disk_full.make_room(dsn=dsn) == f"{name} has room"
    assert disk_full.make_room(dsn=dsn) == f"{name} has room"
    assert disk_full.is_full() is False
    assert room.is_vacuumed(dsn, "orders") is True
    with psycopg.connect(dsn) as connection:
        connection.execute(FILLER)
        connection.rollback()


@pytest.mark.parametrize("reached", ["nothing", "written down", "half", "server restarted"])
def test_the_undo_of_a_full_disk_that_was_cut_short(up: Any, dsn: str, reached: str):
    host = site.find(None)
    if reached == "nothing":
        assert disk_full.make_room(dsn=dsn) == "the disk was not filled"
        return
    before = room.quota(host.data_directory)
    limit = room.largest_file_bytes(host.data_directory)
    Deed.begin(disk_full.FAULT, host, limit=limit, before=before, table="orders")
    if reached == "half":
        head = postgres.postmaster(host.data_directory)
        resource.prlimit(head.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    if reached == "server restarted":
        room.put_quota(host.data_directory, limit)
        room.vacuum(dsn, "orders", on=False)
        assert disk_full.is_full() is True
        postgres_crash.kill_server()
        host.wait_until_ready(60)
        postgres_crash.ensure_running()
    # No effect that is only half there, or gone with the server, is taken for one.
    assert disk_full.is_full() is False

    assert disk_full.make_room(dsn=dsn) == f"{host.name} has room"
    assert room.quota(host.data_directory) == before
    assert room.has_quota(host.data_directory, before)
    assert room.is_vacuumed(dsn, "orders") is True


def test_a_disk_that_cannot_be_filled_is_refused_in_words(up: Any, dsn: str, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ActivityFailed, match="the filler still found room"):
        disk_full.fill("orders", "select 1", dsn=dsn)
    assert "has room" in disk_full.make_room(dsn=dsn)
    monkeypatch.delattr(resource, "prlimit")
    with pytest.raises(
        ActivityFailed, match="cannot be filled: its file system is not small, and no quota: only Linux"
    ):
        disk_full.fill("orders", FILLER, dsn=dsn)
    assert disk_full.is_full() is False


def test_a_small_file_system_is_filled_and_the_server_comes_back(tmp_path: Path):
    """In a namespace of its own, as root or an ordinary user: whatever stops there for want of room is up again."""
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=400m none '{disk}'"
    if subprocess.run([*namespace, "sh", "-c", mount], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a small file system in a namespace of its own")
    script = f'{mount} && exec "$0" "$1" "$2"'
    done = subprocess.run(
        [*namespace, "sh", "-c", script, sys.executable, str(SMALL_DISK), str(disk / "lab")],
        capture_output=True, text=True, timeout=240, check=False, env=os.environ | {"DRILLMARK_RUN": "small"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["way"] == "ballast"
    assert said["free_bytes"] < 1 << 20
    assert said["is_full"] is True
    assert "No space left on device" in said["refused"]
    assert said["undo"] == ["main has room", "main has room"]
    assert said["is_full_after"] is False
    assert said["left"] == []
    assert said["healthy"] is True


# Ransom


def names(up: Any) -> list[str]:
    return sorted(path.name for path in up.layout.backups.iterdir())


def test_ransom_leaves_an_older_backup_and_it_is_the_one_that_serves(up: Any, dsn: str, secrets: dict[str, str]):
    assert ransom.have_an_older_backup() >= 2
    newest, older = backups.candidates(up.layout.backups)[:2]
    kept = order(up)
    with psycopg.connect(dsn, autocommit=True) as connection:
        name = connection.execute("select pg_walfile_name(pg_current_wal_lsn())").fetchone()[0]
        connection.execute("select pg_switch_wal()")
    until((up.layout.archive / name).exists, seconds=60)
    assert ransom.has_struck() is False

    assert ransom.strike(secrets=secrets) == {"taken": newest.name, "left": older.name}

    assert ransom.has_struck() is True
    assert newest.name not in names(up)
    postgres_pitr.fence()
    assert postgres_pitr.restore(dsn=dsn)["drillmark"]["backup"] == older.name
    postgres_pitr.switch_over(dsn=dsn)
    assert request(up, "GET", f"/orders/{kept}")[0] == 200
    assert ransom.has_struck() is True, "until the undo"

    assert ransom.give_backup_back() == f"backup {newest.name} is back"
    assert ransom.give_backup_back() == f"backup {newest.name} is back"
    assert "another system has taken its place" in postgres_host.bring_host_back()
    assert newest.name in names(up)
    assert ransom.has_struck() is False


@pytest.mark.parametrize("reached", ["nothing", "written down", "moved", "all"])
def test_the_undo_of_a_ransom_that_was_cut_short(up: Any, secrets: dict[str, str], reached: str):
    ransom.have_an_older_backup()
    newest = backups.candidates(up.layout.backups)[0]
    aside = up.layout.directory / "drillmark-aside" / f"{os.environ['DRILLMARK_RUN']}-{newest.name}"
    if reached in {"written down", "moved"}:
        Deed.begin(ransom.FAULT, place(None), backup=str(newest), aside=str(aside))
    if reached == "moved":
        aside.parent.mkdir(exist_ok=True)
        newest.rename(aside)
    if reached == "all":
        ransom.strike(secrets=secrets)
        with pytest.raises(ActivityFailed):
            ransom.strike(secrets=secrets)

    said = ransom.give_backup_back()
    postgres_host.bring_host_back()

    assert said == ("no backup was taken" if reached == "nothing" else f"backup {newest.name} is back")
    assert newest.exists()
    assert not aside.exists()


def test_ransom_is_refused_where_nothing_would_be_left(up: Any, secrets: dict[str, str], tmp_path: Path):
    ransom.have_an_older_backup()
    newest, older = backups.candidates(up.layout.backups)[:2]
    # One backup alone.
    one = tmp_path / "one"
    one.mkdir()
    shutil.copytree(newest, one / newest.name)
    with pytest.raises(ActivityFailed, match=r"1 complete backups .* nothing would be left"):
        ransom.strike(backups=str(one), secrets=secrets)
    # An older one that is damaged: what was moved is back, and the host was not touched.
    victim = older / "PG_VERSION"
    text = victim.read_text()
    try:
        victim.write_text("17\n")
        with pytest.raises(ActivityFailed, match=r"nothing was lost: .*PG_VERSION"):
            ransom.strike(secrets=secrets)
    finally:
        victim.write_text(text)
    assert newest.exists()
    assert ransom.has_struck() is False
    assert order(up)
    assert ransom.give_backup_back() == f"backup {newest.name} is back"


# Nothing


def test_the_fault_that_breaks_nothing_goes_the_whole_way(up: Any):
    assert nothing.undo_nothing() == "nothing was done"
    assert nothing.was_done() is False
    assert nothing.do_nothing() == "nothing is broken"
    assert nothing.was_done() is True
    with pytest.raises(ActivityFailed, match="in effect already"):
        nothing.do_nothing()
    assert nothing.undo_nothing() == nothing.undo_nothing() == "nothing had to be undone"
    assert nothing.was_done() is False
