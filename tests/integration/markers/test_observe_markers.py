"""The marker writer against real PostgreSQL: killed, hanging, refusing, and cut off in mid-answer."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from cable import Cable
from drillmark.observe import child
from drillmark.samples import LedgerKind
from marker_store import PASSWORD, Here, Server, check_ledger, ids, in_the_store, read_here
from observe_children import NS, Child
from waiting import until


def test_markers_are_committed_acknowledged_and_read_back_and_no_secret_is_left(
    server: Server, observe: Any, tmp_path: Path
) -> None:
    writing = observe("markers").go()
    assert writing.status()["state"] == "ready", writing.status()
    until(lambda: len(ids(writing.table("ledger"), LedgerKind.ACKNOWLEDGED)) > 60)
    assert PASSWORD.encode() not in Path(f"/proc/{writing.process.pid}/cmdline").read_bytes()
    assert writing.end() == child.EXIT_ENDED, writing.log()
    assert writing.status()["state"] == "ended"
    ledger = writing.table("ledger")
    assert ledger.closed
    check_ledger(ledger)
    acknowledged = ids(ledger, LedgerKind.ACKNOWLEDGED)
    assert len(acknowledged) > 40
    assert acknowledged == ids(ledger, LedgerKind.INVOKED) == in_the_store(server)
    assert set(ledger["writer"].tolist()) == {0, 1, 2, 3}
    assert {row[0] for row in server.execute("SELECT DISTINCT writer FROM drillmark.markers")} == {0, 1, 2, 3}
    system_identifier = server.execute("SELECT system_identifier::text FROM pg_control_system()")[0][0].decode()
    assert ledger.meta["system_identifier"] == system_identifier
    assert ledger.meta["table"] == "drillmark.markers"
    assert set(ledger["timeline"][ledger["kind"] == LedgerKind.ACKNOWLEDGED].tolist()) == {1}
    # The position is one that the log had reached at the acknowledgement, and had not at the attempt's beginning.
    end = server.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0]
    positions = ledger["lsn"][ledger["kind"] == LedgerKind.ACKNOWLEDGED]
    assert int(positions.max()) <= int(end)
    assert len(set(positions.tolist())) > 0.9 * len(positions)

    back = observe("read_back", expected_system_identifier=system_identifier).go()
    assert back.process.wait(90) == child.EXIT_ENDED, back.log()
    survivors = back.table("survivors")
    assert survivors.closed
    assert survivors["id"].tolist() == sorted(acknowledged)
    assert survivors.meta["identity"] == "same"
    assert survivors.meta["reads"] == 2
    assert survivors.meta["table_absent"] is False
    assert survivors.meta["timeline"] == 1
    assert survivors.meta["read_from_ns"] < survivors.meta["read_to_ns"]
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert PASSWORD.encode() not in file.read_bytes(), file
            if file.suffix == ".dms" or file.name.endswith(".config.json") or file.name == "markers.json":
                assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_server_that_is_killed_keeps_every_acknowledged_write(server: Server, tmp_path: Path) -> None:
    writing = Here(server, tmp_path, every_seconds=0.004)
    writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 40)
    for _ in range(2):
        server.kill()
        time.sleep(0.6)
        server.start()
        began = time.monotonic_ns()
        until(
            lambda began=began: (
                (table := writing.table())["at_ns"][table["kind"] == LedgerKind.ACKNOWLEDGED].max() > began
            )
        )
        # Back within moments of the server's return.
        table = writing.table()
        at = table["at_ns"][table["kind"] == LedgerKind.ACKNOWLEDGED]
        assert at[at > began].min() - began < 10 * NS
        writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 20)
    ledger = writing.end()
    check_ledger(ledger)
    stored = in_the_store(server)
    lost = ids(ledger, LedgerKind.ACKNOWLEDGED) - stored
    assert not lost
    assert not ids(ledger, LedgerKind.FAILED) & stored, "called failed, yet it is there"
    unknown = ids(ledger, LedgerKind.INDETERMINATE)
    assert stored <= ids(ledger, LedgerKind.ACKNOWLEDGED) | unknown
    assert len(unknown) <= 8  # one for each writer and kill, at most
    print(f"indeterminate: {len(unknown)}, of which came through: {len(unknown & stored)}")


def test_refusals_ended_connections_locks_and_a_server_that_hangs(server: Server, tmp_path: Path) -> None:
    writing = Here(server, tmp_path)
    writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 20)
    server.execute("ALTER TABLE drillmark.markers ADD CONSTRAINT none CHECK (id < 0) NOT VALID")
    writing.wait_for_more(LedgerKind.FAILED, 10)
    server.execute("ALTER TABLE drillmark.markers DROP CONSTRAINT none")
    # What the server refused in words has failed, and is not there.
    assert len(ids(writing.table(), LedgerKind.FAILED)) >= 10
    assert not ids(writing.table(), LedgerKind.INDETERMINATE)

    # A connection that is ended from outside in the middle of things is no answer.
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
    writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 20)
    ended = ids(writing.table(), LedgerKind.INDETERMINATE)
    assert len(ended) <= 4

    # A lock that is held: time-outs, and no heap of backends that wait for it.
    with psycopg.connect(server.dsn) as holder:
        holder.execute("LOCK TABLE drillmark.markers IN EXCLUSIVE MODE")
        begun = time.monotonic()
        time.sleep(4.5)
        until(lambda: writing.count(LedgerKind.INDETERMINATE) >= len(ended) + 4)
        assert server.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}")[0][0] <= 10
        held_seconds = time.monotonic() - begun
    writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 20)
    locked = ids(writing.table(), LedgerKind.INDETERMINATE) - ended
    # Each of four writers waits for one write at a time, about two seconds each.
    assert 4 <= len(locked) <= 4 * (held_seconds / 2 + 1)

    # A server that hangs: its writes are indeterminate, and the end does not wait for it.
    server.signal(signal.SIGSTOP)
    try:
        stopped = time.monotonic_ns()
        time.sleep(2.5)
        # Nothing lets the server go on before the end is there: what waited for it would never end.
        ledger = writing.end()
    finally:
        server.signal(signal.SIGCONT)
    assert ledger.closed
    check_ledger(ledger)
    at = ledger["at_ns"][ledger["kind"] == LedgerKind.ACKNOWLEDGED]
    assert at.max() < stopped + 2 * NS
    assert (at > stopped - 5 * NS).any()
    assert 1 <= len(ids(ledger, LedgerKind.INDETERMINATE) - ended - locked) <= 8
    until(server.answers)
    stored = in_the_store(server)
    assert not ids(ledger, LedgerKind.FAILED) & stored
    assert ids(ledger, LedgerKind.ACKNOWLEDGED) <= stored


OURS = "application_name = 'drillmark markers'"


def test_a_commit_whose_answer_is_lost_is_indeterminate_and_may_be_there(server: Server, tmp_path: Path) -> None:
    cable = Cable(server.port)
    dsn = f"postgresql://drill:{PASSWORD}@127.0.0.1:{cable.port}/postgres?sslmode=disable&gssencmode=disable"
    writing = Here(server, tmp_path, secrets={"db": {"dsn": dsn}})
    writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 20)
    cable.swallow = True
    until(lambda: cable.swallowed >= 8)
    cable.swallow = False
    writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 20)
    ledger = writing.end()
    cable.close()
    check_ledger(ledger)
    stored = in_the_store(server)
    unknown = ids(ledger, LedgerKind.INDETERMINATE)
    assert unknown & stored, "nothing came through whose answer was swallowed"
    assert not ids(ledger, LedgerKind.FAILED)
    assert ids(ledger, LedgerKind.ACKNOWLEDGED) == stored - unknown
    # It writes again once answers come.
    assert ledger["kind"].tolist()[-10:].count(LedgerKind.ACKNOWLEDGED) >= 3


def test_killed_and_started_again_it_never_repeats_a_number_nor_makes_the_table_anew(
    server: Server, observe: Any, tmp_path: Path
) -> None:
    writing = observe("markers").go()
    until(lambda: len(ids(writing.table("ledger"), LedgerKind.ACKNOWLEDGED)) > 20)
    writing.end(signal.SIGKILL)
    before = writing.table("ledger")
    assert not before.closed
    check_ledger(before)
    open_ = ids(before, LedgerKind.INVOKED) - ids(before, LedgerKind.ACKNOWLEDGED)
    assert len(open_) <= 4
    # Attempted is what is in the ledger, and nothing else: the row is on the disk before the write is sent.
    assert in_the_store(server) <= ids(before, LedgerKind.INVOKED)
    run = tmp_path / "run"
    (run / "children" / "markers.json").unlink()
    again = Here(server, run)
    again.wait_for_more(LedgerKind.ACKNOWLEDGED, 10)
    after = again.end()
    check_ledger(after)
    assert after["id"].tolist()[: len(before)] == before["id"].tolist()
    assert in_the_store(server) >= ids(after, LedgerKind.ACKNOWLEDGED)

    # A store whose table is gone (an empty database was restored): nothing is repaired, everything is lost.
    server.execute("DROP SCHEMA drillmark CASCADE")
    third = Here(server, run)
    third.wait_for_more(LedgerKind.FAILED, 1)
    assert ids(third.end(), LedgerKind.FAILED)
    assert server.execute("SELECT to_regclass('drillmark.markers')")[0][0] is None
    survivors = read_here(server, run, expected_system_identifier=after.meta["system_identifier"])
    assert (len(survivors), survivors.meta["table_absent"], survivors.meta["identity"]) == (0, True, "same")
    assert survivors.closed


def test_a_ledger_that_cannot_be_written_stops_all_writes(server: Server, tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk.
    (tmp_path / "children").mkdir()
    script = f"""
import resource, signal, sys
from drillmark.observe import markers
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
sys.exit(markers.main([{str(tmp_path / "children" / "markers.config.json")!r}]))
"""
    config = {
        "store": "postgres",
        "secrets_name": "db",
        "secrets": {"db": {"dsn": server.dsn}},
        "every_seconds": 0.005,
        "writers": 4,
    }
    helper = Child("drillmark.observe.markers", "markers", tmp_path, config)
    helper.end(signal.SIGKILL)
    (tmp_path / "children" / "markers.go").touch()
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == child.EXIT_FAILED, done.stderr
    assert "cannot write the ledger" in helper.status()["error"]
    ledger = helper.table("ledger")
    assert not ledger.closed
    check_ledger(ledger)
    assert in_the_store(server) <= ids(ledger, LedgerKind.INVOKED), "a write was sent without its row on the disk"
