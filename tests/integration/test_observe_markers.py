"""The marker writer and the read-back against a real PostgreSQL that is killed, stopped, emptied and gone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from drillmark import files, postgres, samples
from drillmark.errors import DrillmarkError
from drillmark.model.evidence import Table
from drillmark.observe import child, markers, read_back
from drillmark.samples import LedgerKind
from observe_children import NS, Child
from waiting import until

PASSWORD = "t0ps3cret-pa55word"


class Server:
    """A small cluster of its own, that asks for a password."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.directory = directory
        self.port = postgres.free_port()
        password = directory / "password"
        password.write_text(PASSWORD)
        postgres.hand_over(directory)
        argv = [postgres.binary("initdb"), "-D", self.data, "-U", "drill", "-A", "scram-sha-256", "--no-sync"]
        postgres.run([*argv, f"--pwfile={password}"], timeout_seconds=60)
        password.unlink()
        self.dsn = f"postgresql://drill:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        argv = [postgres.binary("postgres"), "-D", self.data, *options, "-c", "max_connections=40"]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                postgres.command(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=postgres.clean_environment(),
                cwd="/",
            )
        until(self.answers)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def signal(self, number: int) -> None:
        # Twice: the postmaster comes first, but may have forked while the list was made.
        for _ in range(2):
            for process in postgres.server_processes(self.data):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(60)
        until(lambda: not postgres.server_processes(self.data))

    def execute(self, *statements: str) -> Any:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements[:-1]:
                connection.execute(statement.encode())
            cursor = connection.execute(statements[-1].encode())
            return cursor.fetchall() if cursor.description else None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("pg"))
    yield server
    server.signal(signal.SIGCONT)
    server.kill()


@pytest.fixture
def server(cluster: Server) -> Server:
    if not cluster.answers():
        cluster.start()
    cluster.execute("DROP SCHEMA IF EXISTS drillmark CASCADE")
    return cluster


@pytest.fixture
def observe(tmp_path: Path, server: Server) -> Iterator[Any]:
    """Starts markers or read_back as the engine does."""
    running: list[Child] = []

    def begin(module: str, *, run: str = "r1", **config: Any) -> Child:
        config = {
            "store": "postgres",
            "secrets_name": "db",
            "secrets": {"db": {"dsn": {"type": "env", "key": "THE_DSN"}}},
            **({"every_seconds": 0.01, "writers": 4} if module == "markers" else READ_BACK),
            **config,
        }
        running.append(
            Child(
                f"drillmark.observe.{module}",
                module,
                tmp_path / "run",
                config,
                environment={"THE_DSN": server.dsn},
                run=run,
            )
        )
        return running[-1]

    yield begin
    for each in running:
        each.end(signal.SIGKILL)


class Here:
    """The marker writer in a thread of this process."""

    def __init__(self, server: Server, directory: Path, **config: Any) -> None:
        self.me = here(server, directory, "markers", {"every_seconds": 0.01, "writers": 4, **config})
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        until(lambda: self.state() == "ready" or not self.thread.is_alive())

    def _run(self) -> None:
        try:
            markers.observe(self.me)
        except BaseException as error:
            self.error = error

    def state(self) -> str:
        status = files.read_json(self.me.run_dir / "children" / "markers.json")
        return status["state"] if status else ""

    def count(self, kind: LedgerKind) -> int:
        return len(ids(self.table(), kind))

    def wait_for_more(self, kind: LedgerKind, more: int) -> None:
        """Until there are so many more of them than now."""
        before = self.count(kind)
        until(lambda: self.count(kind) >= before + more or not self.thread.is_alive())

    def table(self) -> Table:
        return samples.read(self.me.run_dir / "samples" / "ledger.dms")

    def end(self) -> Table:
        self.me.stop_requested = True
        self.thread.join(60)
        assert not self.thread.is_alive()
        if self.error:
            raise self.error
        return self.table()


def here(server: Server, directory: Path, role: str, config: dict[str, Any]) -> child.Child:
    (directory / "children").mkdir(exist_ok=True)
    config = {"secrets_name": "db", "secrets": {"db": {"dsn": server.dsn}}, **config}
    me = child.Child(role, "r1", directory, time.monotonic_ns() + 600 * NS, config)
    me.resolve()
    return me


def read_here(server: Server, directory: Path, **config: Any) -> Table:
    read_back.observe(here(server, directory, "read_back", {**READ_BACK, **config}))
    return samples.read(directory / "samples" / "survivors.dms")


READ_BACK = {"identity": None, "expected_system_identifier": None, "timeout_seconds": 60}


def ids(table: Table, kind: LedgerKind) -> set[int]:
    return set(table["id"][table["kind"] == kind].tolist())


def in_the_store(server: Server, run: str = "r1") -> set[int]:
    return {row[0] for row in server.execute(f"SELECT id FROM drillmark.markers WHERE run = '{run}'")}


def check_ledger(table: Table) -> None:
    """What must hold in every ledger, however it came to be."""
    invoked = table["id"][table["kind"] == LedgerKind.INVOKED].tolist()
    assert len(set(invoked)) == len(invoked), "a number was used twice"
    first = {identifier: n for n, identifier in reversed(list(enumerate(table["id"].tolist())))}
    kinds = table["kind"].tolist()
    assert all(kinds[n] == LedgerKind.INVOKED for n in first.values()), "an outcome before its attempt"
    ended = table["id"][table["kind"] != LedgerKind.INVOKED].tolist()
    assert len(set(ended)) == len(ended), "two outcomes of one attempt"
    acknowledged = table["kind"] == LedgerKind.ACKNOWLEDGED
    assert (np.asarray(table["lsn"])[acknowledged] > 0).all()
    assert (np.asarray(table["timeline"])[acknowledged] > 0).all()


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


class Proxy:
    """Between a client and the server; told to, it swallows what the server answers and hangs up on the client."""

    def __init__(self, port: int) -> None:
        self.swallow = False
        self.swallowed = 0
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers and self.swallow:
                    self.swallowed += 1
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        self._listener.close()


def test_a_commit_whose_answer_is_lost_is_indeterminate_and_may_be_there(server: Server, tmp_path: Path) -> None:
    proxy = Proxy(server.port)
    dsn = f"postgresql://drill:{PASSWORD}@127.0.0.1:{proxy.port}/postgres?sslmode=disable&gssencmode=disable"
    writing = Here(server, tmp_path, secrets={"db": {"dsn": dsn}})
    writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 20)
    proxy.swallow = True
    until(lambda: proxy.swallowed >= 8)
    proxy.swallow = False
    writing.wait_for_more(LedgerKind.ACKNOWLEDGED, 20)
    ledger = writing.end()
    proxy.close()
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


def test_a_store_that_cannot_be_used_is_an_error_without_any_secret(server: Server, tmp_path: Path) -> None:
    server.execute("DROP ROLE IF EXISTS weak", "CREATE ROLE weak LOGIN PASSWORD 'weak-pa55word'")
    weak = f"postgresql://weak:weak-pa55word@127.0.0.1:{server.port}/postgres"
    wrong = f"postgresql://drill:wr0ng-pa55word@127.0.0.1:{server.port}/postgres"
    broken = "postgresql://drill:wr0ng-pa55word@127.0.0.1:notaport-pa55word/postgres"
    unknown = f"postgresql://drill:{PASSWORD}@127.0.0.1:{server.port}/nothing"
    reasons = [(weak, "permission denied"), (wrong, "authentication failed"), (unknown, "does not exist"), (broken, "")]
    for dsn, reason in reasons:
        with pytest.raises(DrillmarkError) as raised:
            Here(server, tmp_path, secrets={"db": {"dsn": dsn}}).end()
        assert reason in str(raised.value)
        assert "pa55word" not in str(raised.value)
        if dsn != weak:  # who may read, at least, that there is no table
            with pytest.raises(DrillmarkError) as raised:
                read_here(server, tmp_path, secrets={"db": {"dsn": dsn}}, timeout_seconds=0.5)
            assert "pa55word" not in str(raised.value)
    with pytest.raises(DrillmarkError, match="no secret 'dsn'"):
        read_here(server, tmp_path, secrets={})
    assert not list((tmp_path / "samples").glob("*.dms"))


def test_a_hanging_store_is_no_answer_to_the_read_back(server: Server, tmp_path: Path) -> None:
    server.signal(signal.SIGSTOP)
    asked = time.monotonic()
    try:
        with pytest.raises(DrillmarkError, match="could not be read back"):
            read_here(server, tmp_path, timeout_seconds=1)
    finally:
        server.signal(signal.SIGCONT)
    assert time.monotonic() - asked < 30
    assert not (tmp_path / "samples" / "survivors.dms").exists()


def test_whose_store_it_is(server: Server, tmp_path: Path) -> None:
    server.execute(
        "CREATE SCHEMA drillmark",
        "CREATE TABLE drillmark.markers (run text, id bigint, writer int)",
        "INSERT INTO drillmark.markers VALUES ('r1', 3, 0), ('r1', 70000, 0), ('r1', 1, 0), ('r0', 2, 0)",
    )
    actual = server.execute("SELECT system_identifier::text FROM pg_control_system()")[0][0].decode()
    for expected, identity in ((actual, "same"), ("123", "other"), (None, "unknown")):
        survivors = read_here(server, tmp_path, expected_system_identifier=expected)
        assert survivors.meta["identity"] == identity
        assert survivors["id"].tolist() == [1, 3, 70000]  # read again: the same once more, not twice
    # The target's own word counts before the system identifier.
    provider = {"type": "python", "module": "drillmark.observe.probes", "func": "sql", "secrets": ["db"]}
    for query, identity in (("SELECT 42", "same"), ("SELECT 41", "other"), ("SELECT no_such_column", "unknown")):
        asking = {**provider, "arguments": {"query": query}}
        activity = {"name": "mine", "type": "probe", "tolerance": 42, "provider": asking}
        identify = {"name": "mine", "activity": activity}
        survivors = read_here(server, tmp_path, identity=identify, expected_system_identifier="1")
        assert survivors.meta["identity"] == identity


def test_a_million_markers_are_read_back_in_seconds(server: Server, tmp_path: Path) -> None:
    server.execute(
        "CREATE SCHEMA drillmark",
        "CREATE TABLE drillmark.markers (run text, id bigint, writer int)",
        "INSERT INTO drillmark.markers SELECT 'r1', n * 3, 0 FROM generate_series(1, 1000000) n",
    )
    survivors = read_here(server, tmp_path, timeout_seconds=120)
    assert np.array_equal(survivors["id"], np.arange(1, 1_000_001) * 3)
    assert (survivors.meta["read_to_ns"] - survivors.meta["read_from_ns"]) < 20 * NS  # measured: 1.5 s


def beats_since(prober: Child, name: str, begin_ns: int) -> int:
    """How many beats of that probe were sent since then, and have an answer."""
    table = prober.table("beats")
    sent = table["sent_ns"].tolist()
    return sum(each == name and at > begin_ns for each, at in zip(samples.texts(table, "probe"), sent, strict=True))


def test_sql_beats_are_native_notice_a_dead_server_and_come_back_with_it(server: Server, tmp_path: Path) -> None:
    provider = {
        "type": "python",
        "module": "drillmark.observe.probes",
        "func": "sql",
        "secrets": ["db"],
        "arguments": {"query": "SELECT 40 + 2"},
    }
    slow = {**provider, "arguments": {"query": "SELECT pg_sleep(30)"}}
    config = {
        "every_seconds": 0.2,
        "timeout_seconds": 3.0,
        "secrets": {"db": {"dsn": server.dsn}},
        "activities": [
            {"name": "sql", "type": "probe", "tolerance": 42, "provider": provider},
            {"name": "wrong", "type": "probe", "tolerance": 43, "provider": provider},
            {"name": "slow", "type": "probe", "tolerance": True, "provider": slow},
        ],
    }
    prober = Child("drillmark.observe.prober", "prober", tmp_path / "run", config)
    try:
        prober.go()
        until(lambda: beats_since(prober, "sql", 0) >= 8 and beats_since(prober, "slow", 0) >= 1)
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drillmark probe'"
        assert server.execute(count)[0][0] <= 30
        # A kept connection that was ended meanwhile: the next beat is asked again on a fresh one.
        idle = "application_name = 'drillmark probe' AND state = 'idle'"
        ended = server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {idle}")
        assert ended
        cut = time.monotonic_ns()
        until(lambda: beats_since(prober, "sql", cut) >= 6)
        killing = time.monotonic_ns()
        server.kill()
        killed = time.monotonic_ns()
        until(lambda: beats_since(prober, "sql", killed) >= 6)
        starting = time.monotonic_ns()
        server.start()
        started = time.monotonic_ns()
        until(lambda: beats_since(prober, "sql", started) >= 6)
        stopping = time.monotonic_ns()
        server.signal(signal.SIGSTOP)
        stopped = time.monotonic_ns()
        until(lambda: beats_since(prober, "sql", stopped) >= 3)
        continuing = time.monotonic_ns()
        server.signal(signal.SIGCONT)
        assert prober.end() == child.EXIT_ENDED, prober.log()
    finally:
        prober.end(signal.SIGKILL)
    table = prober.table("beats")
    rows = list(
        zip(
            samples.texts(table, "probe"),
            table["sent_ns"].tolist(),
            table["ok"].tolist(),
            samples.texts(table, "detail"),
            strict=True,
        )
    )

    def answers(begin_ns: int, end_ns: int) -> set[tuple[int, str]]:
        """How the beats went that were sent and answered between these two moments."""
        sql = [name == "sql" for name in samples.texts(table, "probe")]
        within = np.asarray(sql) & (table["sent_ns"] > begin_ns) & (table["received_ns"] < end_ns)
        found = {(rows[n][2], rows[n][3]) for n in np.flatnonzero(within)}
        assert found, "no beat was sent and answered then"
        return found

    assert answers(0, killing) == {(1, "ok")}
    assert {ok for ok, _ in answers(killed, starting)} == {0}
    # The first connection after its return is answered: no beat is lost to a kept, dead one.
    assert answers(started, stopping) == {(1, "ok")}
    assert answers(stopped, continuing) == {(0, "timeout")}
    assert {ok for name, _, ok, _ in rows if name == "slow"} == {0}
    assert "tolerance" in {detail for name, _, _, detail in rows if name == "wrong"}
    assert {ok for name, _, ok, _ in rows if name == "wrong"} == {0}
    for file in (tmp_path / "run").rglob("*"):
        if file.is_file() and file.name != "prober.config.json":  # this test wrote the value into it
            assert PASSWORD.encode() not in file.read_bytes(), file


def test_the_same_probe_works_under_plain_chaos(server: Server) -> None:
    from chaoslib.exceptions import ActivityFailed

    from drillmark.observe import probes

    assert probes.sql("SELECT 1 + 1", secrets={"dsn": server.dsn}) == 2
    assert probes.sql("SELECT 1, 'a', 1.5::numeric, NULL", dsn=server.dsn) == [1, "a", 1.5, None]
    assert probes.sql("SELECT 1 WHERE false", dsn=server.dsn) is None
    assert probes.tcp("127.0.0.1", server.port) is True
    with pytest.raises(ActivityFailed, match="sql 42703"):
        probes.sql("SELECT nothing", dsn=server.dsn)
    with pytest.raises(ActivityFailed, match=r"57014|timeout"):
        probes.sql("SELECT pg_sleep(5)", dsn=server.dsn, timeout_seconds=0.3)
    with pytest.raises(ActivityFailed, match="needs a dsn"):
        probes.sql("SELECT 1")
    with pytest.raises(ActivityFailed) as raised:
        probes.sql("SELECT 1", dsn=server.dsn.replace(PASSWORD, "an0ther-pa55word"))
    assert "pa55word" not in str(raised.value)
    with pytest.raises(ActivityFailed, match="refused"):
        probes.tcp("127.0.0.1", postgres.free_port())


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
