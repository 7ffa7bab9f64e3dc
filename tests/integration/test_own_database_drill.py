"""The shipped drill on Drillmark's own database, for real: a backup of a real journal, restored to the side."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest
from chaoslib.exceptions import ActivityFailed

import workspaces
from drillmark import clock, postgres
from drillmark.database import drilling
from drillmark.journal import entries
from drillmark.journal.port import RunRow
from drillmark.journal.postgres import PostgresStore
from drillmark.model.entry import Kind
from drillmark.model.stamp import Stamp
from drillmark.recovery import frozen_dump, postgres_dump
from own_database import OwnServer, running

DRILL = "drills/quarterly/drillmark-database.yaml"
DAY_NS = 24 * 3600 * 10**9


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("own") / "a server") as server:
        yield server


def journal_a_run(url: str, run: str, *, age_ns: int) -> None:
    """A run of two entries that ended so long ago."""
    now = clock.now()
    stamp = Stamp.from_json(now.as_json() | {"wall_ns": now.wall_ns - age_ns})
    first = entries.follow(None, run=run, epoch=1, kind=Kind.EVENT, stamp=stamp, data={"what": "a"})
    second = entries.follow(first, run=run, epoch=1, kind=Kind.EVENT, stamp=stamp, data={"what": "b"})
    store = PostgresStore(url)
    store.add_whole(RunRow(run, "drill", "target", f"reports/runs/{run}", 1, stamp.wall_ns), [first, second])
    store.close()


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def judged(result: dict, name: str) -> dict:
    return next(one for one in result["objectives"] if one["name"] == name)


def began(result: dict) -> float:
    """When the disaster was declared."""
    return dt.datetime.fromisoformat(result["fault_began"]).timestamp()


def assert_nothing_left(workspace: Path) -> None:
    side = workspace / ".drillmark/side"
    deadline = time.monotonic() + 60
    while left := [*(side.iterdir() if side.is_dir() else []), *workspaces.processes_of(f"{side}/restored-")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


@pytest.mark.drill
def test_the_drill_is_red_with_a_backup_too_old_and_green_with_a_new_one(server, tmp_path):
    url = server.fresh()
    workspace = workspaces.make(tmp_path / "a workspace")
    port = postgres.free_port()
    environment = {
        "DRILLMARK_DATABASE_URL": url,
        "DRILLMARK_COPY_URL": f"postgresql://postgres@127.0.0.1:{port}/{name_of(url)}",
    }

    def run(rpo: str) -> tuple[int, dict]:
        drill = workspaces.shorten(
            workspace,
            DRILL,
            phases={"baseline": "8s", "soak": "4s", "hold": "3s", "recover": {"deadline": "5m"}},
            objectives={"rto": "4h", "rpo": rpo, "slo": {"availability": "50%"}},
        )
        done = workspaces.run(workspace, drill, must_be_known=True, env=environment)
        assert_nothing_left(workspace)
        return done.returncode, workspaces.result(workspace, workspaces.newest(workspace).name)

    def back_up() -> float:
        """Returns when it had ended."""
        done = workspaces.drillmark(workspace, "db", "backup", "backups", env=environment)
        assert done.returncode == 0, done.stderr
        assert f"holds the database {name_of(url)} as of 20" in done.stdout
        return time.time()

    # The backup is young, and was made before what is two days old was journalled.
    journal_a_run(url, "oldest", age_ns=3 * DAY_NS)
    backed_up = back_up()
    journal_a_run(url, "old", age_ns=2 * DAY_NS)
    # What was written through the baseline is not in a backup that was made before it.
    code, result = run(rpo="2s")
    assert (code, judged(result, "verification")["verdict"]) == (1, "failed"), result["objectives"]
    assert "2 entries of old that are older than 1d are not in the copy" in judged(result, "verification")["reason"]
    assert judged(result, "undo")["verdict"] == "passed", judged(result, "undo")
    assert judged(result, "rpo")["verdict"] == "failed", judged(result, "rpo")
    assert result["writes"]["lost"] == result["writes"]["acknowledged"] - result["writes"]["unproved"] > 0
    lost_seconds = result["rpo"]["observed_seconds"]
    assert 2 < lost_seconds["lo"] <= began(result) - backed_up <= lost_seconds["hi"], lost_seconds

    # Now the database holds the journal of a real drill as well: the one before.
    backed_up = back_up()
    code, result = run(rpo="1d")
    assert (code, result["verdict"]) == (0, "passed"), result["objectives"]
    for name in ("production", "source", "undo", "verification", "rto", "rpo"):
        assert judged(result, name)["verdict"] == "passed", judged(result, name)
    assert began(result) - backed_up <= result["rpo"]["observed_seconds"]["hi"] < DAY_NS / 1e9
    assert "simulated disaster" in result["flags"]
    assert workspaces.drillmark(workspace, "verify", "last", env=environment).returncode == 0


@pytest.fixture
def listing(tmp_path, server):
    """A frozen listing of a real dump."""
    place = tmp_path / "dumps"
    postgres_dump.dump(str(place), dsn=server.fresh())
    path = tmp_path / "source.json"
    postgres_dump.list_source(str(path), str(place))
    return path


@pytest.fixture
def pair(server: OwnServer, monkeypatch: pytest.MonkeyPatch):
    """An original with a journal, which the variable names, and a copy of it; both on one server."""
    original = server.fresh()
    journal_a_run(original, "one", age_ns=3 * DAY_NS)
    journal_a_run(original, "two", age_ns=2 * DAY_NS)
    monkeypatch.setenv("DRILLMARK_DATABASE_URL", original)
    return original, server.fresh(name_of(original))


def look(listing: Path, pair: tuple[str, str], rpo: str = "1d") -> bool:
    return drilling.journals_are_whole(str(listing), rpo, secrets={"dsn": pair[1]})


def test_a_copy_is_good_while_nothing_older_than_the_rpo_is_lost(pair, listing):
    assert look(listing, pair) is True
    journal_a_run(pair[0], "young", age_ns=DAY_NS // 2)
    assert look(listing, pair) is True
    with pytest.raises(ActivityFailed, match="2 entries of young that are older than 1h are not in the copy"):
        look(listing, pair, "1h")


@pytest.mark.parametrize(
    ("sabotage", "said"),
    [
        (
            "update drillmark.entries set data = '{}' where run = 'two'",
            "two in the copy is broken: entry 1 was changed",
        ),
        (
            "delete from drillmark.entries where run = 'one' and sequence = 1",
            "one in the copy is broken: entry 2 stands",
        ),
        ("delete from drillmark.entries where run = 'one' and sequence = 2", "1 entries of one that are older than 1d"),
        ("drop schema drillmark cascade", "holds nothing of Drillmark yet"),
        ("update drillmark.version set format = 99", "was migrated by a newer drillmark"),
    ],
)
def test_a_copy_that_was_tampered_with_is_red(server, pair, listing, sabotage, said):
    server.execute("set session_replication_role = replica; " + sabotage, name=name_of(pair[1]))
    with pytest.raises(ActivityFailed, match=said):
        look(listing, pair)


def test_a_copy_of_another_database_or_with_nothing_in_it_is_red(server, listing, monkeypatch):
    other = server.fresh()
    journal_a_run(other, "stranger", age_ns=DAY_NS)
    monkeypatch.setenv("DRILLMARK_DATABASE_URL", server.fresh())
    with pytest.raises(ActivityFailed, match=r"stranger in the copy is not the original's"):
        drilling.journals_are_whole(str(listing), dsn=other)
    with pytest.raises(ActivityFailed, match="holds no entry of any journal"):
        drilling.journals_are_whole(str(listing), dsn=server.fresh())


def test_a_copy_is_known_by_its_oldest_run(server, pair, monkeypatch):
    def same() -> bool:
        return drilling.is_same_database(secrets={"dsn": pair[1]})

    assert same() is True
    journal_a_run(pair[1], "older", age_ns=4 * DAY_NS)
    assert same() is False, "the original has no such run"
    monkeypatch.setenv("DRILLMARK_DATABASE_URL", server.fresh())
    assert same() is False
    with pytest.raises(ActivityFailed, match="holds no run"):
        drilling.is_same_database(server.fresh())
    server.execute("drop schema drillmark cascade", name=name_of(pair[1]))
    with pytest.raises(ActivityFailed, match="cannot be told"):
        same()


def test_what_is_not_said_is_asked_for(listing, monkeypatch):
    monkeypatch.setenv("DRILLMARK_DATABASE_URL", "postgresql://u@127.0.0.1:1/x")
    for function in (drilling.restore, drilling.journals_are_whole):
        with pytest.raises(ActivityFailed, match="nobody says where the copy is asked"):
            function(str(listing))
    for dsn in ("postgresql://u@db.example:5434/x", "postgresql://u@127.0.0.1/x", "service=x"):
        with pytest.raises(ActivityFailed, match="leads to no port of this machine"):
            drilling.restore(str(listing), dsn=dsn)
    with pytest.raises(ActivityFailed, match="nobody says where the copy is asked"):
        drilling.is_same_database()
    monkeypatch.delenv("DRILLMARK_DATABASE_URL")
    with pytest.raises(ActivityFailed, match="DRILLMARK_DATABASE_URL is not set"):
        drilling.is_same_database("postgresql://u@127.0.0.1:1/x")
    with pytest.raises(ActivityFailed, match="DRILLMARK_DATABASE_URL is not set"):
        drilling.journals_are_whole(str(listing), dsn="postgresql://u@127.0.0.1:1/x")


def test_a_dump_that_is_another_one_than_was_listed_is_refused(listing, tmp_path, monkeypatch):
    monkeypatch.setenv("DRILLMARK_RUN", "run-1")
    (directory,) = (tmp_path / "dumps").iterdir()
    assert frozen_dump.read(listing).directory == directory
    description = directory / "drillmark-dump.json"
    description.write_text(description.read_text() + "\n")
    given = {"source": str(listing), "into": str(tmp_path / "side"), "dsn": "postgresql://postgres@127.0.0.1/x"}
    with pytest.raises(ActivityFailed, match="is another one than when the disaster was declared"):
        postgres_dump.restore(**given)
    description.unlink()
    with pytest.raises(ActivityFailed, match="cannot be read any more"):
        postgres_dump.restore(**given)
    listing.write_text("{}")
    with pytest.raises(ActivityFailed, match="is no listing of a dump"):
        postgres_dump.restore(**given)
    assert list((tmp_path / "side").iterdir()) == []
