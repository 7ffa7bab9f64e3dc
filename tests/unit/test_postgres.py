"""PostgreSQL's programs and processes, as far as no server is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from drillmark import postgres
from drillmark.errors import LabError
from drillmark.postgres import binaries
from drillmark.postgres.server import forget_dead_server


@pytest.mark.parametrize(("text", "number"), [("0/0", 0), ("0/1A2B", 0x1A2B), ("16/B374D848", 0x16B374D848)])
def test_log_positions_are_numbers(text, number):
    assert postgres.lsn_to_int(text) == number
    assert postgres.int_to_lsn(number) == text


def test_what_is_no_log_position_is_refused():
    for text in ("", "12", "x/y"):
        with pytest.raises(ValueError):
            postgres.lsn_to_int(text)


def test_the_wheels_programs_are_found_and_run():
    done = postgres.run([postgres.binary("postgres"), "--version"], timeout_seconds=20)
    assert "PostgreSQL" in done.stdout


def test_named_programs_come_first_and_a_wrong_folder_is_an_error(tmp_path, monkeypatch):
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("DRILLMARK_PG_BIN", str(tmp_path))
    assert postgres.binary("postgres") == program
    with pytest.raises(LabError, match="no program initdb in DRILLMARK_PG_BIN") as caught:
        postgres.binary("initdb")
    assert caught.value.hint


def test_a_program_never_runs_as_root():
    done = postgres.run(["id", "-u"], timeout_seconds=20)
    assert int(done.stdout) != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone needs another way")
def test_each_way_of_not_being_root_works_or_is_said(monkeypatch):
    tried: list[str] = []

    def refuses_namespaces(argv):
        tried.append(argv[0])
        return argv[0] != "unshare"

    monkeypatch.setattr(binaries, "_works", refuses_namespaces)
    assert binaries._mode.__wrapped__() == "other_user"
    monkeypatch.setattr(binaries, "_works", lambda _: False)
    with pytest.raises(LabError, match="refuses to run as root"):
        binaries._mode.__wrapped__()
    assert tried == ["unshare", "setpriv"]


def test_a_program_that_fails_says_what_it_said_and_one_that_hangs_is_ended():
    with pytest.raises(LabError, match=r"pg_controldata ended with 1: .*nowhere"):
        postgres.control_data(Path("/nowhere"))
    with pytest.raises(LabError, match=r"longer than 0\.2 s"):
        postgres.run(["sleep", "30"], timeout_seconds=0.2)


def test_libpq_variables_of_the_user_do_not_reach_the_programs(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("PGDATA", "/somewhere")
    assert not [name for name in postgres.clean_environment() if name.startswith("PG")]


def test_a_free_port_can_be_bound():
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", postgres.free_port()))


def test_a_pid_in_a_file_is_not_a_server(tmp_path):
    """The pid of a killed server may belong to anything by now: here, to a sleeping program."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        lines = [other.pid, tmp_path, 0, 5432, "", "127.0.0.1", "1 2", "ready   "]
        file = tmp_path / "postmaster.pid"
        file.write_text("".join(f"{line}\n" for line in lines))
        assert postgres.postmaster(tmp_path) is None
        assert postgres.postmaster_state(tmp_path) == ""
        assert postgres.server_processes(tmp_path) == []
        assert postgres.stop(tmp_path, "kill", timeout_seconds=1)
        assert other.poll() is None, "a process that is no server was ended"
        forget_dead_server(tmp_path)
        assert not file.exists()
        other.kill()


def test_a_spawned_process_leads_its_session_and_writes_to_its_log(tmp_path):
    log = tmp_path / "a log"
    process = postgres.spawn(["sh", "-c", 'echo "pid $$"; echo bad >&2'], environment=dict(os.environ), log=log)
    os.waitpid(process.pid, 0)
    assert log.read_text().splitlines() == [f"pid {process.pid}", "bad"]
    assert log.stat().st_mode & 0o777 == 0o600
    with pytest.raises(LabError, match="cannot start"):
        postgres.spawn(["/nonexistent/program"], environment={}, log=log)
