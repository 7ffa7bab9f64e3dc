"""Beats by SQL against a real server that dies and comes back."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest

from drillmark import postgres, samples
from drillmark.observe import child
from marker_store import PASSWORD, Server
from observe_children import Child
from waiting import until


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
