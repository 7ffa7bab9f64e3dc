"""Updates, deletions and split brain on real PostgreSQL servers, from the marker writer to the counts."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from cable import Cable
from drillmark import postgres, samples
from drillmark.model.evidence import Evidence, Table, Written
from drillmark.observe import child, postgres_store, read_back
from drillmark.observe.changes import Write
from drillmark.recovery.launching import bring_up
from drillmark.samples import LedgerKind, LedgerOp
from marker_thread import MarkerThread
from observe_children import NS
from postgres_builders import Server, running_server
from rig.journal import BOOT, HOST, ORIGIN_NS
from rig.plain import Run, drill
from rig.store import Store
from waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("primary")) as made:
        yield made


def here(directory: Path, role: str, dsn: str, *, run: str = "r1", **config: Any) -> child.Child:
    (directory / "children").mkdir(exist_ok=True, parents=True)
    config = {"store": "postgres", "secrets_name": "db", "secrets": {"db": {"dsn": dsn}}, **config}
    me = child.Child(role, run, directory, time.monotonic_ns() + 300 * NS, config)
    me.resolve()
    return me


class Writing(MarkerThread):
    """With updates and deletions."""

    def __init__(self, directory: Path, dsn: str, *, run: str = "r1", **config: Any) -> None:
        settings: dict[str, Any] = {"every_seconds": 0.01, "writers": 4, "changes": True}
        super().__init__(here(directory, "markers", dsn, run=run, **settings | config))

    def acknowledged(self, timeline: int = 1, after_ns: int = 0) -> int:
        if not self.me.samples("ledger").exists():
            return 0
        table = self.table()
        if not len(table):
            return 0
        chosen = (table["kind"] == LedgerKind.ACKNOWLEDGED) & (table["timeline"] == timeline)
        return int(np.count_nonzero(chosen & (table["at_ns"] > after_ns)))

    def wait_for(self, condition: Any) -> None:
        until(lambda: condition() or not self.thread.is_alive(), seconds=90)
        assert self.error is None, self.error


def read(directory: Path, dsn: str) -> Table:
    config = {"identity": None, "expected_system_identifier": None, "timeout_seconds": 90}
    read_back.observe(here(directory, "read_back", dsn, **config))
    return samples.read(directory / "samples" / "survivors.dms")


def judged(ledger: Table, survivors: Table, zero_ns: int) -> Run:
    """A drill on the rig's clock whose I is at `zero_ns` of this machine's; the data were restored 5 s after it."""

    def moved(table: Table, **meta: Any) -> Table:
        columns = dict(table.columns)
        if "at_ns" in columns:
            columns["at_ns"] = columns["at_ns"] - zero_ns + ORIGIN_NS
        return replace(table, columns=columns, meta=table.meta | {"host": HOST, "boot": BOOT} | meta)

    def tables(evidence: Evidence) -> Evidence:
        return replace(evidence, written={"": Written(moved(ledger), moved(survivors, identity="same"))})

    report = {"drillmark": {"data_restored_ns": [ORIGIN_NS + 5 * NS, ORIGIN_NS + 5 * NS]}}
    blank = Store(gone_at=0.0, recovery_point=None, new_from=7.0)
    return drill(store=blank, tables=tables, recover_data=report)


def test_what_a_store_reverts_and_lets_rise_again_is_counted_exactly(server: Server, tmp_path: Path):
    server.execute("DROP SCHEMA IF EXISTS drillmark CASCADE")
    writing = Writing(tmp_path, server.dsn)
    writing.wait_for(lambda: writing.acknowledged() >= 400)
    ledger = writing.end()
    end_ns = int(ledger["at_ns"].max()) + 1
    acked = ledger["kind"] == LedgerKind.ACKNOWLEDGED
    assert {int(op) for op in ledger["op"][acked]} == {0, 1, 2}
    whole = judged(ledger, read(tmp_path, server.dsn), end_ns)
    writes = whole.measured.writes
    assert writes is not None
    assert (writes.lost, writes.lost_updates, writes.resurrected, writes.unexpected) == (0, 0, 0, 0)
    deleted = np.unique(ledger["key"][acked & (ledger["op"] == LedgerOp.DELETE)])
    assert writes.unproved == int(np.count_nonzero(acked & np.isin(ledger["key"], deleted)))
    assert writes.survived + writes.unproved == writes.acknowledged
    assert whole.outcome("integrity") == "passed"

    # The first three updates that their rows are left by go back; the first two deleted rows rise.
    left_by = server.execute("SELECT value FROM drillmark.markers WHERE value IS NOT NULL ORDER BY value LIMIT 3")
    updates = [int(row[0]) for row in left_by]
    server.execute("UPDATE drillmark.markers SET value = NULL WHERE value = ANY(%s)", updates)
    deletions = sorted(int(one) for one in ledger["id"][acked & (ledger["op"] == LedgerOp.DELETE)])[:2]
    keys = dict(zip(ledger["id"].tolist(), ledger["key"].tolist(), strict=True))
    for one in deletions:
        server.execute("INSERT INTO drillmark.markers (run, id, writer) VALUES ('r1', %s, 0)", keys[one])
    spoiled = judged(ledger, read(tmp_path, server.dsn), end_ns)
    writes = spoiled.measured.writes
    assert writes is not None
    # A row that was updated more than once went back over all of its updates.
    assert set(updates) <= set(writes.lost_update_ids)
    assert all(keys[one] in {keys[other] for other in (*updates, *deletions)} for one in writes.lost_update_ids)
    assert set(writes.resurrected_ids) == set(deletions)
    assert (writes.holes, writes.unexpected) == (0, 0)
    assert spoiled.outcome("integrity") == "failed"
    assert "resurrected: 2" in spoiled.reason("integrity")


def test_a_row_that_went_back_refuses_the_next_change(server: Server):
    server.execute("DROP SCHEMA IF EXISTS drillmark CASCADE")
    connection = postgres_store.connect(server.dsn)
    postgres_store.prepare(connection, changes=True)

    def write(op: LedgerOp, number: int, before: int = 0) -> LedgerKind:
        return postgres_store.write(connection, "r1", Write(op, number, 1, before), 0).kind

    assert write(LedgerOp.INSERT, 1) is LedgerKind.ACKNOWLEDGED
    assert write(LedgerOp.UPDATE, 2, before=1) is LedgerKind.ACKNOWLEDGED
    server.execute("UPDATE drillmark.markers SET value = NULL")
    assert write(LedgerOp.UPDATE, 3, before=2) is LedgerKind.FAILED
    assert write(LedgerOp.DELETE, 4, before=2) is LedgerKind.FAILED
    assert write(LedgerOp.DELETE, 5, before=1) is LedgerKind.ACKNOWLEDGED
    connection.close()
    # A table from before rows could be changed gets what it lacks, and keeps its rows.
    server.execute("ALTER TABLE drillmark.markers DROP COLUMN value")
    server.execute("INSERT INTO drillmark.markers (run, id, writer) VALUES ('r0', 9, 0)")
    again = postgres_store.connect(server.dsn)
    postgres_store.prepare(again, changes=True)
    again.close()
    assert server.execute("SELECT id, value FROM drillmark.markers") == [(9, None)]


def test_rows_of_a_week_ago_are_removed_when_a_writer_begins_and_no_others(server: Server, tmp_path: Path):
    server.execute("DROP SCHEMA IF EXISTS drillmark CASCADE")
    connection = postgres_store.connect(server.dsn)
    postgres_store.prepare(connection, changes=True)
    connection.close()
    runs = [
        "20260101T000000Z-a-1",
        "20260112T235959Z-a-1",
        "20260113T000001Z-a-1",
        "20260120T000000Z-a-1",
        "notes",
        "2",
    ]
    for run in runs:
        server.execute("INSERT INTO drillmark.markers (run, id, writer) VALUES (%s, 1, 0)", run)
    writing = Writing(tmp_path, server.dsn, run="20260120T000000Z-b-2")
    writing.wait_for(lambda: writing.acknowledged() >= 10)
    ledger = writing.end()
    assert ledger.meta["older_rows_removed"] == 2
    kept = {row[0] for row in server.execute("SELECT DISTINCT run FROM drillmark.markers")}
    assert kept == {*runs[2:], "20260120T000000Z-b-2"}


@pytest.fixture
def standby(server: Server, tmp_path: Path) -> Iterator[Server]:
    """A second server that follows the first."""
    made = Server(tmp_path / "standby", postgres.free_port())
    made.root.mkdir()
    postgres.hand_over(made.root)
    argv = [postgres.binary("pg_basebackup"), "-D", made.data, "-d", server.dsn, "-c", "fast", "-R", "-X", "stream"]
    postgres.run(argv, timeout_seconds=120)
    with (made.data / "postgresql.conf").open("a") as file:
        file.write(f"port = {made.port}\narchive_mode = off\n")
    try:
        bring_up(made.data, port=None, log=made.root / "server.log", timeout_seconds=120)
        yield made
    finally:
        postgres.stop(made.data, "kill")


def test_split_brain_of_two_servers_is_seen_by_timelines_and_is_loss_without_them(
    server: Server, standby: Server, tmp_path: Path
):
    server.execute("DROP SCHEMA IF EXISTS drillmark CASCADE")
    cable = Cable(server.port)
    dsn = f"host=127.0.0.1 port={cable.port} user=postgres dbname=postgres sslmode=disable gssencmode=disable"
    writing = Writing(tmp_path, dsn, changes=False)
    try:
        writing.wait_for(lambda: writing.acknowledged() >= 100)
        until(lambda: standby.execute("SELECT to_regclass('drillmark.markers') IS NOT NULL") == [(True,)], seconds=60)
        standby.execute("SELECT pg_promote(true, 60)")
        cable.to = standby.port
        # Half of the writers' connections break, and find the new primary; the old one goes on acknowledging the others.
        cable.shake(newest=2)
        writing.wait_for(lambda: writing.acknowledged(timeline=2) >= 60)
        now = time.monotonic_ns()
        writing.wait_for(lambda: writing.acknowledged(after_ns=now) >= 60)
    finally:
        ledger = writing.end()
        cable.close()
    survivors = read(tmp_path, standby.dsn)
    assert survivors.meta["timeline"] == 2

    kind, at, timeline = ledger["kind"], ledger["at_ns"], ledger["timeline"]
    acked = kind == LedgerKind.ACKNOWLEDGED
    accepted = int(at[acked & (timeline == 2)].min())
    sent = dict(zip(ledger["id"][kind == 0].tolist(), at[kind == 0].tolist(), strict=True))
    late = {one for one in ledger["id"][acked & (timeline == 1)].tolist() if sent[one] > accepted}
    assert len(late) >= 60
    assert not late & set(survivors["id"].tolist())

    run = judged(ledger, survivors, accepted - 6 * NS)
    writes = run.measured.writes
    assert writes is not None
    assert writes.split_brain == len(late)
    assert set(writes.split_brain_ids) <= late
    assert writes.lost >= len(late)
    assert writes.lost_after == 0
    assert "split brain" in run.reason("integrity")

    # Nobody knows a timeline, as over HTTP: what the old primary acknowledged late is loss, and not called otherwise.
    blind = replace(ledger, columns=ledger.columns | {"timeline": np.zeros_like(timeline)})
    unseen = judged(blind, replace(survivors, meta=survivors.meta | {"timeline": 0}), accepted - 6 * NS)
    writes = unseen.measured.writes
    assert writes is not None
    assert writes.split_brain is None
    assert writes.lost + writes.lost_after >= len(late)
    assert writes.lost_after > 0
    assert "lost by the restored store" in unseen.reason("integrity")


class Mute:
    """Speaks as much of PostgreSQL's protocol as it takes to connect, and ends every write in its own way."""

    def __init__(self, ending: str) -> None:
        self.ending = ending
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError, struct.error), self._listener:
            client, _ = self._listener.accept()
            with client:
                file = client.makefile("rb")
                file.read(struct.unpack("!I", file.read(4))[0] - 4)
                ready = b"Z" + struct.pack("!I", 5) + b"I"
                client.sendall(b"R" + struct.pack("!II", 8, 0) + ready)
                while kind := file.read(1):
                    file.read(struct.unpack("!I", file.read(4))[0] - 4)
                    if kind == b"Q":
                        client.sendall(b"C" + struct.pack("!I", 8) + b"SET\0" + ready)
                    elif kind == b"S":
                        if self.ending == "hangs up":
                            return
                        client.sendall(ready)

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize("ending", ["hangs up", "ends without a result"])
def test_a_write_that_ends_without_a_result_is_indeterminate(ending: str):
    mute = Mute(ending)
    connection = psycopg.connect(
        f"host=127.0.0.1 port={mute.port} user=x dbname=x sslmode=disable gssencmode=disable connect_timeout=60",
        autocommit=True,
    )
    try:
        written = postgres_store.write(connection, "r1", Write(LedgerOp.INSERT, 1, 1), 0)
    finally:
        connection.pgconn.finish()
        mute.close()
    assert written.kind is LedgerKind.INDETERMINATE
