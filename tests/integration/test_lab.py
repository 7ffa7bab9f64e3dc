"""The lab as a whole: it comes up anywhere, serves, switches, and goes without a trace."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from drillmark import lab as labs
from drillmark import postgres
from drillmark.errors import LabError
from drillmark.lab import control
from lab_helpers import assert_gone, call, healthy, main_of, order, processes_of, request
from waiting import until

pytestmark = pytest.mark.lab

COMMAND = [sys.executable, "-c", "from drillmark.cli.lab import command; command()"]


def test_orders_are_created_and_read_from_the_database(shared_lab):
    number = order(shared_lab, "grace")
    status, answer = request(shared_lab, "GET", f"/orders/{number}")
    assert (status, answer["source"], answer["customer"], answer["price"]) == (200, "database", "grace", "9.50")
    assert request(shared_lab, "GET", "/orders/latest")[1]["id"] >= number
    assert request(shared_lab, "GET", "/orders/999999999")[0] == 404
    assert request(shared_lab, "GET", "/health") == (200, {"status": "ok", "database": "ok"})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"customer": "a"},
        {"customer": "a", "item": "b", "quantity": 0},
        {"customer": "a", "item": "b", "price": "x"},
    ],
)
def test_what_is_no_order_is_refused_with_the_reason(shared_lab, body):
    status, answer = request(shared_lab, "POST", "/orders", body)
    assert status == 422
    assert "must be" in answer["error"]


def test_the_environment_leads_to_the_database_without_a_password(shared_lab, monkeypatch):
    for name, value in shared_lab.environment.items():
        monkeypatch.setenv(name, value)
    assert "password" not in json.dumps(shared_lab.as_json()).replace("password_", "")
    secrets = [line.rpartition(":")[2] for line in shared_lab.layout.password_file.read_text().splitlines()]
    assert not any(secret in json.dumps(shared_lab.as_json()) for secret in secrets)
    with psycopg.connect(os.environ["ORDERS_DSN"], autocommit=True) as connection:
        # What marker writing and reading back need of the application's role.
        row = connection.execute(
            "select (pg_control_system()).system_identifier, (pg_control_checkpoint()).timeline_id,"
            " pg_walfile_name(pg_current_wal_lsn()), current_setting('data_checksums'), current_setting('fsync')"
        ).fetchone()
        assert row is not None
        assert row[3:] == ("on", "on")
        connection.execute("create schema if not exists drillmark")
        connection.execute("drop schema drillmark")
    with psycopg.connect("service=orders-admin") as connection:
        assert connection.execute("select usesuper from pg_user where usename = user").fetchone() == (True,)


def test_files_are_private_and_the_password_is_asked_for(shared_lab):
    for path in (shared_lab.layout.record, shared_lab.layout.password_file, shared_lab.layout.service_file):
        assert path.stat().st_mode & 0o077 == 0
    assert Path(shared_lab.short_directory).stat().st_mode & 0o777 == 0o700
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host="127.0.0.1", port=main_of(shared_lab).port, user="orders", password="wrong", dbname="orders"
        )


def test_up_twice_changes_nothing(shared_lab):
    again = labs.up(Path(shared_lab.directory))
    assert (again.supervisor, again.state) == (labs.status(Path(shared_lab.directory)).supervisor, "up")
    assert main_of(again).port == main_of(shared_lab).port


def test_a_backup_on_request_is_whole_and_its_wal_is_archived(shared_lab):
    taken = call(shared_lab, "POST", "/backup")
    place = shared_lab.layout.backups / taken["name"]
    manifest = json.loads((place / "backup_manifest").read_text())
    assert all(entry.get("Checksum-Algorithm") in {"SHA256", None} for entry in manifest["Files"])
    assert any(entry.get("Checksum-Algorithm") == "SHA256" for entry in manifest["Files"])
    label = (place / "backup_label").read_text()
    assert (shared_lab.layout.archive / label.split("(file ")[1].split(")")[0]).is_file()
    assert not list(shared_lab.layout.backups.glob(".*"))


def test_an_idle_change_is_archived_within_seconds(shared_lab):
    before = set(shared_lab.layout.archive.iterdir())
    order(shared_lab)
    until(lambda: set(shared_lab.layout.archive.iterdir()) - before, seconds=60)


def test_requests_that_cannot_be_done_say_why(shared_lab):
    with pytest.raises(LabError, match="no cluster nobody"):
        call(shared_lab, "POST", "/hold", cluster="nobody")
    with pytest.raises(LabError, match="no server runs in"):
        call(shared_lab, "POST", "/adopt", cluster="x", data_directory="/nonexistent", port=1)
    with pytest.raises(LabError, match="bad request"):
        call(shared_lab, "POST", "/hold")
    with pytest.raises(LabError, match="no such request"):
        call(shared_lab, "POST", "/nothing")
    with pytest.raises(LabError, match="does not answer"):
        control.call("/nonexistent/control", "GET", "/status")


def test_a_switch_leads_service_and_new_connections_to_the_other_cluster(lab, monkeypatch):
    made = lab()
    before = order(made)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    taken = call(made, "POST", "/backup")["name"]
    after = order(made)
    other = made.layout.clusters / "other"
    shutil.copytree(made.layout.backups / taken, other)
    (other / "recovery.signal").touch()
    postgres.hand_over(other)
    port = postgres.free_port()
    settings = {
        "port": port,
        "restore_command": f'cp "{made.layout.archive}/%f" "%p"',
        "recovery_target": "immediate",
        "recovery_target_action": "promote",
    }
    postgres.start(other, options=settings, log=made.layout.logs / "other.log")
    with pytest.raises(LabError, match="no cluster other"):
        call(made, "POST", "/switch", cluster="other")
    call(made, "POST", "/adopt", cluster="other", data_directory=str(other), port=port)
    answer = call(made, "POST", "/switch", cluster="other")
    assert answer["service_reconnected"]
    assert answer["primary"] == "other"
    with psycopg.connect("service=orders") as connection:
        assert connection.info.port == port
    assert request(made, "GET", f"/orders/{before}")[0] == 200
    assert request(made, "GET", f"/orders/{after}")[0] == 404, "the old cluster still answers"
    # The new primary is supervised, the old one is not started again, and a backup of the new one follows.
    assert postgres.stop(main_of(made).path, "kill")
    assert postgres.stop(other, "kill")
    until(lambda: healthy(made), seconds=60)
    assert postgres.server_processes(main_of(made).path) == []
    until(lambda: labs.status(Path(made.directory)).last_backup != taken, seconds=60)


def test_servers_of_a_deleted_directory_are_found(lab):
    made = lab()
    call(made, "POST", "/hold", cluster="main")
    place = main_of(made).path
    pids = {process.pid for process in postgres.server_processes(place)}
    aside = made.layout.aside / "gone"
    place.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
    assert pids <= {process.pid for process in postgres.server_processes(place)}
    labs.down(Path(made.directory))
    assert_gone(made)


def test_down_leaves_nothing_however_the_lab_was_left(lab):
    made = lab()
    place = Path(made.directory)
    # Killed servers leave shared memory behind: that goes too.
    call(made, "POST", "/hold", cluster="main")
    os.kill(postgres.postmaster(main_of(made).path).pid, signal.SIGKILL)
    made = labs.status(place)
    assert labs.down(place)
    assert_gone(made)
    assert not labs.down(place)
    assert labs.status(place) is None
    # Once more in the same place; now without a supervisor and without a record.
    made = lab(directory=place)
    assert healthy(made)
    os.kill(made.supervisor.pid, signal.SIGKILL)
    made.layout.record.write_text("{ torn")
    with pytest.raises(LabError, match="cannot read"):
        labs.status(place)
    assert labs.down(place)
    assert_gone(made)


def test_two_labs_come_up_at_once_and_know_nothing_of_each_other(lab):
    made = []
    threads = [threading.Thread(target=lambda: made.append(lab())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, two = made
    order(one, "only-in-one")
    assert request(two, "GET", "/orders/latest")[1]["customer"] != "only-in-one"
    labs.down(Path(one.directory))
    assert_gone(one)
    assert healthy(two)


def test_a_folder_that_is_no_lab_is_left_alone(tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "thesis.txt").write_text("ten years of work")
    for attempt in (labs.up, labs.down):
        with pytest.raises(LabError, match="no lab"):
            attempt(tmp_path / "lab")
    assert (tmp_path / "lab" / "thesis.txt").read_text() == "ten years of work"


@pytest.mark.parametrize("after_seconds", [0.7, 1.6])
def test_an_up_that_was_killed_can_be_repeated_or_taken_away(lab, tmp_path, after_seconds):
    place = tmp_path / "lab"
    with subprocess.Popen(
        [*COMMAND, "up", "--scale", "8MB", "--directory", str(place)], stdout=subprocess.DEVNULL
    ) as cut:
        time.sleep(after_seconds)
        cut.kill()
    if after_seconds > 1:
        assert healthy(lab(directory=place))
    if place.exists():
        labs.down(place)
    until(lambda: processes_of(place) == [], seconds=60)
    assert not place.exists()


def test_a_deep_path_with_every_kind_of_character_and_100_mb(lab, tmp_path, monkeypatch):
    place = tmp_path / 'it\'s 100% "odd" %p $HOME ünï' / ("deep " * 12) / "lab"
    long = tmp_path / ("t" * 90)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr("tempfile.tempdir", None)
    made = lab(directory=place, scale_bytes=100 * 1024 * 1024)
    assert len(str(made.control)) < 100
    assert healthy(made)
    assert list(made.layout.archive.iterdir()), "nothing was archived"
    login = {"host": "127.0.0.1", "port": main_of(made).port, "user": "orders", "dbname": "orders"}
    with psycopg.connect(**login, passfile=str(made.layout.password_file)) as connection:
        (size,) = connection.execute("select pg_table_size('orders')").fetchone()
    assert 0.9 < size / (100 * 1024 * 1024) < 1.2
    number = order(made)
    os.kill(postgres.postmaster(main_of(made).path).pid, signal.SIGKILL)
    until(lambda: request(made, "GET", f"/orders/{number}")[0] == 200, seconds=60)
    labs.down(place)
    assert_gone(made)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become nobody")
def test_an_ordinary_user_has_the_same_lab():
    nobody = pwd.getpwnam("nobody")
    become = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    base = Path("/tmp") / f"dm-nobody-{os.getpid()}"
    base.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "HOME": str(base)}

    def run(program, *words, check=True):
        return subprocess.run(
            [*become, program, *words],
            capture_output=True, text=True, cwd=base, timeout=120, env=environment, check=check,
        )  # fmt: skip

    # A virtual environment may lead to an interpreter in root's own home.
    imports = (
        "import os, sys, psycopg, psutil, starlette, uvicorn, drillmark; os.execv(sys.executable, ['python', '-c', ''])"
    )
    programs = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    usable = [p for p in programs if Path(p).exists() and run(p, "-c", imports, check=False).returncode == 0]
    place = base / "a lab"
    try:
        if not usable:
            pytest.skip("no interpreter with this environment's packages can be run by nobody")
        os.chown(base, nobody.pw_uid, nobody.pw_gid)
        words = (usable[0], *COMMAND[1:])
        run(*words, "up", "--scale", "1MB", "--directory", str(place))
        made = labs.status(place)
        assert healthy(made)
        order(made)
        assert {path.owner() for path in base.rglob("*")} == {"nobody"}
        assert psutil.Process(main_of(made).process.pid).username() == "nobody"
        run(*words, "down", "--directory", str(place))
        assert_gone(made)
    finally:
        labs.down(place)
        shutil.rmtree(base)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user")
def test_root_without_user_namespaces_has_the_same_lab(tmp_path_factory):
    """Where `unshare` is refused, PostgreSQL runs as another user, and may not get to where root gets."""
    programs = tmp_path_factory.mktemp("programs")
    for name in ("setpriv", "sh", "true", "test", "cp", "ipcrm"):
        (programs / name).symlink_to(shutil.which(name))
    environment = {**os.environ, "PATH": str(programs)}

    def run(*words):
        return subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, timeout=120, env=environment, check=False
        )

    refused = run("up", "--directory", str(tmp_path_factory.mktemp("private") / "lab"))
    assert "cannot reach" in refused.stderr
    base = Path(tempfile.mkdtemp(dir="/tmp", prefix="dm-other-"))
    base.chmod(0o755)
    place = base / "a lab"
    try:
        done = run("up", "--scale", "1MB", "--directory", str(place))
        assert done.returncode == 0, done.stderr
        made = labs.status(place)
        assert psutil.Process(main_of(made).process.pid).username() == "nobody"
        assert list(made.layout.archive.iterdir()), "nothing was archived"
        number = order(made)
        os.kill(main_of(made).process.pid, signal.SIGKILL)
        until(lambda: request(made, "GET", f"/orders/{number}")[0] == 200, seconds=60)
    finally:
        labs.down(place)
        base.rmdir()
    assert_gone(made)


def test_the_command_says_how_the_lab_is(shared_lab):
    def run(*words):
        return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=True, timeout=120).stdout

    place = shared_lab.directory
    assert "The lab is up." in run("status", "--directory", place)
    assert json.loads(run("status", "--json", "--directory", place))["schema"] == "drillmark.lab/1"
    assert "There is no lab" in run("status", "--directory", "/nonexistent/lab")
    assert "There is no lab" in run("down", "--directory", "/nonexistent/lab")
