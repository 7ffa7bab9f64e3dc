"""Reading markers back from real PostgreSQL: whose store it is, and one that does not answer."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest

from drillmark.errors import DrillmarkError
from marker_store import PASSWORD, Here, Server, read_here
from observe_children import NS


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
