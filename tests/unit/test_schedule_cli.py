"""`drillmark schedule` on a workspace, with the journal and the queue as they are."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import icalendar
import pytest
import yaml
from click.testing import CliRunner

from drillmark import clock, last_pass, schedule_runs, scheduled, workspace_schedules
from drillmark.cli import main
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import UsageError
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind
from schedules import at, ics

NOW = at("2027-01-10 12:00")
TARGETS = {
    "targets": {
        "db": {"environment": "staging", "tier": 1, "activities": []},
        "shop": {"environment": "production", "tier": 2, "activities": []},
    }
}


def drill(name: str, **fields: object) -> dict:
    return {"id": name, "title": f"{name} is lost", "owner": "team", "target": "db", "mode": "tabletop", **fields}


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    (tmp_path / "drillmark.yaml").write_text("{}\n")
    (tmp_path / "targets.yaml").write_text(yaml.safe_dump(TARGETS))
    (tmp_path / "drills").mkdir()
    (tmp_path / "freeze.ics").write_bytes(ics("DTSTART;VALUE=DATE:20270119|SUMMARY:Freeze"))
    window = {"days": "tue-thu", "from": "02:00", "to": "05:00"}
    put(
        tmp_path,
        drill(
            "weekly",
            schedule={
                "cron": "0 3 * * tue",
                "time_zone": "Europe/Berlin",
                "window": window,
                "blackouts": ["freeze.ics"],
            },
        ),
    )
    put(tmp_path, drill("nightly", target="shop", schedule={"every": "night", "jitter": "10m"}))
    put(tmp_path, drill("by-hand"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workspace_schedules, "now", lambda: NOW)
    return tmp_path


def put(root: Path, made: dict) -> None:
    (root / "drills" / f"{made['id']}.yaml").write_text(yaml.safe_dump(made))


def said(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["schedule", *words], standalone_mode=True, catch_exceptions=True)
    assert done.exit_code == code, done.output
    return done.output


def test_list_has_the_drills_with_a_schedule_and_their_next_time(root):
    head, nightly, weekly = said("list").splitlines()
    assert head.split() == ["drill", "rule", "next", "state"]
    assert nightly.split("  ")[0] == "nightly"
    assert "Mon 2027-01-11 03:00 +00:00" in nightly
    assert "Tue 2027-01-12 03:00 +01:00" in weekly
    (first, second) = json.loads(said("list", "--json"))
    assert (first["drill"], first["next"]) == ("nightly", "2027-01-11T03:00Z")
    assert (second["drill"], second["next"], second["paused"]) == ("weekly", "2027-01-12T02:00Z", False)


def test_list_says_which_drill_changed_since_it_last_passed(root, monkeypatch):
    asked: list[str] = []

    def passes(_root, drills):
        asked.extend(drills)
        return {"weekly": last_pass.LastPass("r1", changed=True), "nightly": last_pass.LastPass("r2", changed=False)}

    monkeypatch.setattr(last_pass, "of", passes)
    _, nightly, weekly = said("list").splitlines()
    assert weekly.endswith("needs a new run")
    assert "needs" not in nightly
    assert sorted(asked) == ["nightly", "weekly"]
    assert [each["needs_new_run"] for each in json.loads(said("list", "--json"))] == [False, True]
    said("pause", "weekly")
    assert said("list").splitlines()[2].endswith("paused, needs a new run")


def test_next_leaves_out_what_a_freeze_takes(root):
    assert said("next", "weekly", "--count", "2").splitlines() == [
        "Tue 2027-01-12 03:00 +01:00  weekly", "Tue 2027-01-26 03:00 +01:00  weekly",
    ]  # fmt: skip
    assert [each["drill"] for each in json.loads(said("next", "--json", "--count", "3"))] == [
        "nightly",
        "weekly",
        "nightly",
    ]


def test_a_calendar_file_that_is_gone_is_told_and_nothing_is_due(root):
    (root / "freeze.ics").unlink()
    assert "there is no file freeze.ics" in said("list")
    assert "there is no file freeze.ics" in said("why", "weekly", code=2)


def test_a_drill_that_is_not_scheduled_is_told_from_one_that_is_not_there(root):
    assert "drills/by-hand.yaml has no `schedule`" in said("why", "drills/by-hand.yaml", code=2)
    assert "no scheduled drill is called weakly" in said("why", "weakly", code=2)
    assert "is no time" in said("why", "weekly", "--at", "tomorrow", code=2)


WHY = [
    (["--at", "2027-01-12"], 'weekly will run at Tue 2027-01-12 03:00 +01:00: cron "0 3 * * tue" names that time, and nothing stands against it.'),
    (["--at", "2027-01-12T03:00"], "weekly will run at Tue 2027-01-12 03:00 +01:00"),
    (["--at", "2027-01-12T02:00Z"], "weekly will run at Tue 2027-01-12 03:00 +01:00"),
    (["--at", "2027-01-12T04:00"], 'weekly is not due at Tue 2027-01-12 04:00 +01:00: cron "0 3 * * tue" names no such time; it is next due at Tue 2027-01-26'),
    (["--at", "2027-01-19"], 'it lies in "Freeze" in freeze.ics; it is next due at Tue 2027-01-26 03:00 +01:00.'),
    (["--at", "2027-01-05"], 'weekly did not run at Tue 2027-01-05 03:00 +01:00, when it was due by cron "0 3 * * tue": no worker has ever run here'),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), WHY)
def test_why_by_the_table(root, words, expected):
    assert expected in said("why", "weekly", *words)


def test_why_without_a_time_tells_of_the_last_and_of_the_next(root):
    last, following = said("why", "weekly").splitlines()
    assert last.startswith("weekly did not run at Tue 2027-01-05")
    assert following.startswith("weekly will run at Tue 2027-01-12")


def test_a_pause_is_told_until_it_is_over_and_resume_ends_it(root, monkeypatch):
    real = datetime.now(tz=UTC)  # entries are stamped by the clock
    monkeypatch.setattr(workspace_schedules, "now", lambda: datetime.now(tz=UTC))
    end = (real + timedelta(days=30)).date()
    assert "weekly rests until" in said(
        "pause", "weekly", "--until", end.isoformat(), "--by", "ana", "--reason", "moving house"
    )
    assert json.loads(said("list", "--json"))[1]["paused"] is True
    tuesday = next(
        real.date() + timedelta(days=step) for step in range(1, 9) if (real + timedelta(days=step)).weekday() == 1
    )
    told = said("why", "weekly", "--at", tuesday.isoformat())
    assert "will not run as things stand: ana paused it until" in told
    assert "(moving house)" in told
    later = tuesday + timedelta(days=35)
    assert "ana" not in said("why", "weekly", "--at", later.isoformat())
    assert "goes on by its schedule" in said("resume", "weekly", "--by", "ana")
    assert "ana paused" not in said("why", "weekly", "--at", tuesday.isoformat())
    assert "weekly is not paused" in said("resume", "weekly", code=2)


def test_a_pause_that_is_over_already_is_refused(root):
    assert "is over already" in said("pause", "weekly", "--until", "2020-01-01", code=2)


def test_production_without_an_approval_is_told(root):
    told = said("why", "nightly", "--at", "2027-01-12")
    assert "will not run as things stand: nightly reaches production and has no window; nightly reaches" in told
    assert "nobody has approved plan" in told


def test_a_trigger_is_a_decision_that_a_worker_reads(root):
    said("trigger", "weekly", "--by", "ana", "--reason", "after the move")
    (one,) = scheduled.decided(root, datetime.now(tz=UTC)).triggers
    assert (one.drill, one.by, one.reason) == ("weekly", "ana", "after the move")


def queue(root: Path, *rows: tuple[str, dict[str, object]]) -> None:
    """The queue of a worker that has these occurrences of `weekly`."""
    from drillmark.fleet import tables
    from drillmark.fleet.database import Database

    empty = {column.name: column.type.python_type() for column in tables.occurrences.columns if not column.nullable}
    base = empty | {"drill": "weekly", "source": "drills/weekly.yaml"}
    database = Database(root)
    database.prepare()
    with database.transaction() as connection:
        for name, fields in rows:
            connection.execute(tables.occurrences.insert().values(base | {"occurrence": name} | fields))
    database.close()


def test_why_tells_what_the_queue_knows(root):
    queue(
        root,
        (
            "weekly@2027-01-05T02:00Z",
            {"state": "ended", "verdict": "missed", "reason": "nobody started it in time (7 h late)"},
        ),
        (
            "weekly@2026-12-29T02:00Z",
            {"state": "ended", "run": "20261229T020003Z-weekly-ab12", "verdict": "passed", "reason": ""},
        ),
        ("weekly@2026-12-22T02:00Z", {"state": "waiting", "says": "db is taken by nightly@2026-12-22T01:00Z"}),
    )
    assert "weekly did not run at Tue 2027-01-05 03:00 +01:00" in said("why", "weekly", "--at", "2027-01-05")
    assert ": missed, nobody started it in time (7 h late)." in said("why", "weekly", "--at", "2027-01-05")
    assert "weekly ran at Tue 2026-12-29 03:00 +01:00" in said("why", "weekly", "--at", "2026-12-29")
    assert "run 20261229T020003Z-weekly-ab12, passed." in said("why", "weekly", "--at", "2026-12-29")
    assert "and waits: db is taken by nightly@2026-12-22T01:00Z." in said("why", "weekly", "--at", "2026-12-22")
    written = root / "drills/weekly.yaml"
    os.utime(written, (at("2026-12-01 00:00").timestamp(),) * 2)
    assert "no worker took note of it" in said("why", "weekly", "--at", "2026-12-15")
    os.utime(written, (at("2026-12-15 02:01").timestamp(),) * 2)
    told = said("why", "weekly", "--at", "2026-12-15")
    assert "weekly did not run at Tue 2026-12-15 03:00 +01:00" in told
    assert "no worker took note of it (" in told
    assert "its file was written at Tue 2026-12-15 03:01 +01:00, after that" in told


def test_why_tells_who_triggered_it_and_what_became_of_it(root, monkeypatch):
    from drillmark.fleet.wishes import occurrence_of

    monkeypatch.setattr(workspace_schedules, "now", lambda: datetime.now(tz=UTC))
    said("trigger", "weekly", "--by", "ana", "--reason", "after the move")
    (one,) = scheduled.decided(root, datetime.now(tz=UTC)).triggers
    head = "ana (after the move) triggered weekly at "
    told = next(line for line in said("why", "weekly").splitlines() if head in line)
    assert told.endswith(": it waits for a worker to take note of it.")
    monkeypatch.setattr(workspace_schedules, "now", lambda: datetime.now(tz=UTC) + timedelta(hours=2))
    day = ["--at", f"{one.at:%Y-%m-%dT%H:%MZ}"]
    assert "it did not run, as no worker took note of it within the hour." in said("why", "weekly", *day)
    queue(root, (occurrence_of(one), {"state": "ended", "run": "r7", "verdict": "failed", "reason": "RTA is too long"}))
    assert "it ran: run r7, failed (RTA is too long)." in said("why", "weekly", *day)
    assert head not in said("why", "weekly", "--at", "2026-12-15")


def test_overdue_lists_what_was_missed_until_somebody_has_run_it(root, monkeypatch):
    missed = {"state": "ended", "verdict": "missed", "reason": "nobody started it in time (7 h late)"}
    queue(
        root,
        ("weekly@2026-12-29T02:00Z", missed | {"due_at": at("2026-12-29 02:00").timestamp()}),
        ("weekly@2027-01-05T02:00Z", missed | {"due_at": at("2027-01-05 02:00").timestamp()}),
    )
    told = "weekly: weekly@2027-01-05T02:00Z did not run, and nothing since came to a verdict: nobody started it in"
    assert f"{told} time (7 h late)" in said("overdue", "--no-file", code=1).splitlines()
    assert json.loads(said("overdue", "--no-file", "--json", code=1))[-1]["missed"] == "weekly@2027-01-05T02:00Z"
    store = open_store(WorkspacePaths(root))
    started = round(at("2027-01-06 08:00").timestamp() * 1e9)
    store.create(RunRow("r9", "weekly", "db", "reports/runs/r9", 1, started))
    assert told in said("overdue", "--no-file", code=1)
    ended = {"verdict": "failed", "exit_code": 1}
    store.append(None, run="r9", epoch=1, kind=Kind.RUN_ENDED, stamp=clock.now(), data=ended)
    store.close()
    assert "weekly@" not in said("overdue", "--no-file", code=1)


def test_the_calendar_can_be_subscribed_to(root):
    said("calendar", "--ics", "--days", "20", "--output", "drills.ics")
    read = icalendar.Calendar.from_ical((root / "drills.ics").read_bytes())
    events = read.walk("VEVENT")
    weekly = [each for each in events if str(each["UID"]).startswith("weekly@")]
    assert [each["DTSTART"].dt for each in weekly] == [at("2027-01-12 02:00"), at("2027-01-26 02:00")]
    assert len({str(each["UID"]) for each in events}) == len(events) == 22
    assert "weekly" in said("calendar", "--days", "3")


def test_overdue_files_a_gap_for_a_tier_one_target_once_and_exits_with_one(root):
    told = said("overdue", code=1)
    assert told.startswith("db: no passing drill in 2027Q1, which ends on 2027-03-31")
    assert "shop" not in told
    said("overdue", code=1)
    (path,) = (root / "reports" / "gaps").glob("GAP-*.yaml")
    gap = yaml.safe_load(path.read_text())
    assert (gap["kind"], gap["target"], gap["due"], gap["state"]) == ("overdue", "db", "2027-03-31", "open")
    assert [each["run"] for each in gap["occurrences"]] == ["2027Q1"]


def test_overdue_can_leave_the_register_alone(root):
    said("overdue", "--no-file", code=1)
    assert not (root / "reports" / "gaps").exists()


def test_run_starts_nothing_that_is_not_due(root):
    assert "nothing to run: weekly is not due at" in said("run", "weekly")
    assert "a duration" in said("run", "weekly", "--within", "soon", code=2)


NOT_NOW = [
    ("2027-01-12 02:00", "1h", ""),
    ("2027-01-12 02:59", "1h", ""),
    ("2027-01-12 03:00", "1h", "is not due"),
    ("2027-01-12 04:30", "6h", "outside the window"),
    ("2027-01-19 02:00", "1h", "Freeze"),
]


@pytest.mark.parametrize(("now", "within", "expected"), NOT_NOW)
def test_what_another_scheduler_may_start_by_the_table(root, now, within, expected):
    one = scheduled.one(root, "weekly")
    refusal = schedule_runs.not_now(root, one, at(now), timedelta(hours=int(within[:-1])))
    assert expected in refusal
    assert bool(refusal) == bool(expected)


def test_a_paused_drill_is_not_started_by_another_scheduler(root):
    scheduled.decide(root, Kind.PAUSE, {"drill": "weekly", "until": None, "by": "ana", "reason": ""})
    one = scheduled.one(root, "weekly")
    # Entries are stamped by the real clock, which is behind the times of this table or ahead of them.
    now = max(at("2027-01-12 02:00"), datetime.now(tz=UTC))
    while now.weekday() != 1:
        now += timedelta(days=1)
    now = now.replace(hour=2, minute=0, second=0, microsecond=0)
    if now < datetime.now(tz=UTC):
        now += timedelta(days=7)
    refusal = schedule_runs.not_now(root, one, now, timedelta(hours=2))
    assert "ana paused it" in refusal or "Freeze" in refusal


def test_export_writes_into_a_folder(root):
    said("export", "weekly", "--to", "systemd", "--output", "units")
    assert sorted(path.name for path in (root / "units").iterdir()) == [
        "drillmark-weekly.service",
        "drillmark-weekly.timer",
    ]
    assert "a pod needs an image" in said("export", "weekly", "--to", "kubernetes", code=2)


def test_without_the_extra_the_command_says_which_one_to_install(root, monkeypatch):
    monkeypatch.setattr(workspace_schedules, "missing", lambda: "pip install 'drillmark[fleet]'")
    assert "schedules need the extra `fleet`" in said("list", code=2)
    assert "pip install 'drillmark[fleet]'" in said("list", code=2)


def test_a_passing_drill_of_the_quarter_counts_and_no_other():
    from drillmark.calendar import undrilled

    tiers = {"db": 1, "cache": 1, "shop": 2, "log": None}
    drills = [("a", "db", "team"), ("b", "db", "team"), ("c", "cache", "others")]
    today = date(2027, 3, 10)
    passed = [("db", date(2027, 1, 1)), ("cache", date(2026, 12, 31))]
    (one,) = undrilled.overdue(tiers, drills, passed, today)
    assert (one.target, one.quarter.name, one.drills, one.owner, one.ends_soon) == (
        "cache",
        "2027Q1",
        ("c",),
        "others",
        True,
    )
    assert undrilled.overdue({"db": 1}, [], [], date(2027, 1, 1))[0].ends_soon is False


QUARTERS = [
    ("2027-01-01", "2027Q1", "2027-03-31"), ("2027-03-31", "2027Q1", "2027-03-31"), ("2027-04-01", "2027Q2", "2027-06-30"),
    ("2027-09-30", "2027Q3", "2027-09-30"), ("2027-12-31", "2027Q4", "2027-12-31"), ("2028-02-29", "2028Q1", "2028-03-31"),
]  # fmt: skip


@pytest.mark.parametrize(("day", "name", "last"), QUARTERS)
def test_quarters_by_the_table(day, name, last):
    from drillmark.periods import quarter_of

    found = quarter_of(date.fromisoformat(day))
    assert (found.name, found.last.isoformat()) == (name, last)


def test_one_of_two_ids_is_found_by_its_file_too(root):
    assert scheduled.one(root, "drills/weekly.yaml").name == "weekly"
    with pytest.raises(UsageError):
        scheduled.one(root, "drills/none.yaml")
