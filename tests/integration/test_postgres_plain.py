"""Fences, switches and faults on a real PostgreSQL that is not the lab's: by arguments alone."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from chaoslib.exceptions import ActivityFailed

from drillmark import postgres
from drillmark.errors import RecoveryError
from drillmark.faults import postgres_crash, postgres_host
from drillmark.recovery import launching, postgres_pitr
from postgres_builders import running_server

pytestmark = pytest.mark.lab


def test_nothing_complete_means_nothing_is_switched(tmp_path: Path):
    with pytest.raises(ActivityFailed, match="there is no complete restore"):
        postgres_pitr.switch_over(into=str(tmp_path), service_file=str(tmp_path / "none"), service="users")


def test_fence_ends_every_process_and_archives_the_last_log(tmp_path: Path):
    with running_server(tmp_path / "old") as old:
        old.execute("create table t (id int)")
        old.back_up("first")
        held = psycopg.connect(old.dsn)
        held.execute("insert into t values (1)")
        old.execute("insert into t values (2)")
        last = old.execute("select pg_walfile_name(pg_current_wal_lsn())")[0][0]
        assert not (old.archive / last).exists()

        answer = postgres_pitr.fence(data_directory=str(old.data))

        held.close()
        assert answer["clean"] is True
        assert answer["ended"] > 3
        assert postgres.server_processes(old.data) == []
        assert (old.archive / last).exists()
        assert postgres_pitr.fence(data_directory=str(old.data), port=old.port)["already"] is True


def test_fence_kills_what_does_not_stop(tmp_path: Path):
    with running_server(tmp_path / "old") as old:
        answer = postgres_pitr.fence(data_directory=str(old.data), mode="immediate")

        assert answer["clean"] is False
        assert postgres.server_processes(old.data) == []
    with pytest.raises(ActivityFailed, match="not a mode"):
        postgres_pitr.fence(data_directory=str(tmp_path), mode="gently")


def test_faults_work_on_a_server_that_is_not_the_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRILLMARK_RUN", "run-1")
    with running_server(tmp_path / "plain") as server:
        data = str(server.data)
        assert postgres_crash.kill_server(data)["killed"] > 3
        assert postgres_crash.was_restarted(data) is True
        assert postgres_crash.ensure_running(data) == "data takes connections"
        assert server.execute("select 1") == [(1,)]
        assert postgres_crash.was_restarted(data) is False

        postgres_host.lose_host(data)
        assert postgres_host.is_lost(data) is True
        assert postgres_host.bring_host_back(data) == "data is back"
        assert postgres_host.is_lost(data) is False
        assert postgres_crash.ensure_running(data) == "data takes connections"
        assert server.execute("select 1") == [(1,)]


def test_a_server_that_never_comes_up_again_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(launching, "_PERSISTS_SECONDS", 1.0)
    with running_server(tmp_path / "plain") as server:
        assert postgres.stop(server.data, "fast")
        with (server.data / "postgresql.conf").open("a") as file:
            file.write("no_such_setting = 1\n")
        with pytest.raises(RecoveryError, match=r"does not come up: .*no_such_setting"):
            launching.bring_up(server.data, port=None, log=tmp_path / "log", timeout_seconds=60)
