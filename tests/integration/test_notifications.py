"""Channels that are there, dead, hanging, or quiet: real addresses, a real server, and whole drills beside them."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, date, datetime

import pytest
import yaml

import file_drill
from chaos_helpers import experiment, shell
from drillmark.cli.reminding import Reminder
from drillmark.define.notifications import Notifications
from drillmark.define.settings import Settings
from drillmark.telling.beside import Reports
from drillmark.telling.news import Message
from drillmark.telling.posting import Posts, around
from receivers import receiving

SECRET = "s3cr3t-t0ken-0f-0ps"
NIGHT, MORNING = datetime(2026, 11, 28, 1, tzinfo=UTC), datetime(2026, 11, 28, 8, tzinfo=UTC)
DEAD = "json://127.0.0.1:9/"  # the port of `discard`, where nobody listens


@pytest.fixture
def ear():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def logged():
    """What handlers of a process see that listens to everything."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(f"{record.name} {record.getMessage()}")

    root, handler, level = logging.getLogger(), Handler(0), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


def notifications(*channels, **more) -> Notifications:
    listed = [{"name": f"c{number}", **fields} for number, fields in enumerate(channels)]
    return Notifications.model_validate({"channels": listed, **more})


def send(settings, root, *messages, environment=None, seconds=60.0, now=None):
    reports, outcomes = Reports(), []
    shared = around(root, settings, environment or {}, reports, lambda *told: outcomes.append((told[0], told[2])))
    if now is not None:
        shared.now = lambda: now
    posts = Posts(settings, shared)
    for message in messages:
        posts.put(message)
    posts.close(seconds)
    return reports.take(), outcomes


def test_a_message_arrives_with_the_secret_of_the_environment(tmp_path, ear):
    settings = notifications({"url": "${OPS_URL}", "on": ["end"]})
    environment = {"OPS_URL": f"json://me:{SECRET}@127.0.0.1:{ear.port}/hook"}
    problems, outcomes = send(
        settings, tmp_path, Message("start", "no"), Message("end", "d: passed", "fine"), environment=environment
    )
    assert (problems, outcomes) == ([], [("c0", "sent")])
    (body,) = ear.json()
    assert (body["title"], body["message"]) == ("[Drillmark] d: passed", "fine")
    assert ear.received[0].path == "/hook"
    assert ear.received[0].headers["authorization"].startswith("Basic ")


def test_a_dead_channel_is_reported_and_the_others_hear(tmp_path, ear):
    settings = notifications({"url": DEAD}, {"url": f"json://127.0.0.1:{ear.port}/"})
    problems, outcomes = send(settings, tmp_path, Message("end", "d: passed"))
    assert len(problems) == 1
    assert problems[0].startswith('the channel c0 was not told "d: passed": ')
    assert sorted(outcomes) == [("c0", "failed"), ("c1", "sent")]
    assert ear.titles() == ["d: passed"]


def test_a_channel_that_takes_nothing_is_named_and_not_waited_for(tmp_path, ear):
    ear.holds.clear()
    settings = notifications({"url": f"json://127.0.0.1:{ear.port}/?rto=60"})
    began = time.monotonic()
    problems, _ = send(settings, tmp_path, Message("end", "one"), Message("end", "two"), seconds=1.0)
    assert time.monotonic() - began < 30
    assert problems == ['the channel c0 took nothing in time: "one" and 1 more']


def test_a_channel_that_refuses_once_is_asked_again(tmp_path, ear):
    ear.status = 503
    settings = notifications({"url": f"json://127.0.0.1:{ear.port}/"})
    reports, outcomes = Reports(), []
    posts = Posts(settings, around(tmp_path, settings, {}, reports, lambda *told: outcomes.append(told[2])))
    posts.put(Message("end", "d: passed"))
    ear.wait(lambda: len(ear.received) == 1, "first attempt")
    ear.status = 200
    posts.close(60.0)
    assert (outcomes, len(ear.received)) == (["sent"], 2)


@pytest.mark.parametrize(
    ("url", "value", "reason"),
    [
        ("${OPS_URL}", f"json://me:{SECRET}@127.0.0.1:9/{SECRET}", ""),
        ("json://127.0.0.1:9/${OPS_URL}", SECRET, ""),
        ("${OPS_URL}", f"nosuch://{SECRET}", "[redacted]"),
        ("${OPS_URL}", f"slack://{SECRET}", ""),
        ("${OPS_URL}", SECRET, "[redacted]"),
        ("${OPS_URL}", "", "OPS_URL is not set in the environment"),
        ("${OPS_URL}", f"json://[{SECRET}", ""),
    ],
)
def test_no_reason_holds_a_secret(tmp_path, url, value, reason, capfd, logged):
    settings = notifications({"url": url})
    (problem,), _ = send(settings, tmp_path, Message("end", "x"), environment={"OPS_URL": value})
    assert reason in problem
    assert SECRET not in "".join([problem, *capfd.readouterr(), *logged])


def test_messages_of_the_quiet_hours_arrive_as_one_when_they_are_over(tmp_path, ear):
    settings = notifications({"url": f"json://127.0.0.1:{ear.port}/"}, quiet={"from": "22:00", "to": "07:00"})
    messages = (Message("start", "one"), Message("abort", "urgent"), Message("end", "two"))
    problems, outcomes = send(settings, tmp_path, *messages, now=NIGHT)
    assert (problems, outcomes) == ([], [("c0", "waiting"), ("c0", "sent"), ("c0", "waiting")])
    assert ear.titles() == ["urgent"]
    assert send(settings, tmp_path, now=NIGHT) == ([], [])
    assert send(settings, tmp_path, now=MORNING) == ([], [("c0", "sent")])
    assert ear.titles() == ["urgent", "one, and 1 more"]
    assert send(settings, tmp_path, now=MORNING) == ([], [])


def test_messages_of_the_quiet_hours_wait_on_while_the_channel_is_dead(tmp_path, ear):
    quiet = {"from": "22:00", "to": "07:00"}
    send(notifications({"url": DEAD}, quiet=quiet), tmp_path, Message("start", "a"), Message("end", "b"), now=NIGHT)
    problems, _ = send(notifications({"url": DEAD}, quiet=quiet), tmp_path, now=MORNING)
    assert len(problems) == 1
    alive = notifications({"url": f"json://127.0.0.1:{ear.port}/"}, quiet=quiet)
    assert send(alive, tmp_path, now=MORNING)[0] == []
    assert ear.titles() == ["a, and 1 more"]


def test_what_waited_is_not_lost_while_a_channel_hangs(tmp_path, ear):
    settings = notifications({"url": f"json://127.0.0.1:{ear.port}/?rto=60"}, quiet={"from": "22:00", "to": "07:00"})
    send(settings, tmp_path, Message("start", "a"), Message("end", "b"), now=NIGHT)
    ear.holds.clear()
    problems, _ = send(settings, tmp_path, now=MORNING, seconds=1.0)
    assert problems == ['the channel c0 took nothing in time: "a, and 1 more"']
    waiting = around(tmp_path, settings, {}, Reports()).waiting
    assert not waiting.is_empty()
    with waiting.telling("c0") as nothing:  # the thread that hangs is still at it
        assert nothing == []
    ear.holds.set()
    ear.wait(waiting.is_empty, "what waited is told")
    assert ear.titles() == ["a, and 1 more"]


def test_what_waited_is_told_by_a_run_that_goes_on_when_the_quiet_hours_end(tmp_path, ear):
    settings = notifications({"url": f"json://127.0.0.1:{ear.port}/"}, quiet={"from": "22:00", "to": "07:00"})
    moments = iter([NIGHT] * 3)
    shared = around(tmp_path, settings, {}, Reports())
    shared.now = lambda: next(moments, MORNING)
    posts = Posts(settings, shared)
    for title in ("one", "two", "three"):
        posts.put(Message("end", title))
    posts.close(60.0)
    assert ear.titles() == ["one, and 1 more", "three"]


def test_a_worker_tells_what_waited_although_no_drill_runs_by_day(tmp_path, ear):
    always = {"from": "00:00", "to": "23:59", "days": "mon-sun"}
    channels = [{"name": "c0", "url": f"json://127.0.0.1:{ear.port}/"}]
    waited = Settings.model_validate({"notifications": {"channels": channels, "quiet": always}})
    send(waited.notifications, tmp_path, Message("end", "of the night"), now=MORNING)
    assert ear.titles() == []
    (tmp_path / "targets.yaml").write_text("targets: {db: {environment: staging}}")
    by_day = Settings.model_validate({"notifications": {"channels": channels}})
    counted: list[tuple[str, str, str]] = []
    reminder = Reminder(tmp_path, by_day, database=None, say=print, today=lambda: date(2026, 10, 5))
    reminder.on_outcome = lambda channel, message, outcome, _reason: counted.append((channel, message.event, outcome))
    reminder.look()
    assert ear.titles() == ["of the night"]
    assert counted == [("c0", "end", "sent")]


@pytest.fixture
def service(tmp_path):
    with file_drill.serving(tmp_path / "served.txt") as url:
        yield url, tmp_path / "served.txt"


def everything_stored(root) -> str:
    found = [path for path in root.rglob("*") if path.is_file()]
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in found)


def workspace(root, service, channels, **fields):
    """With beats so slow that a machine which is busy does not make it fail before its fault."""
    phases = {"baseline": "4s", "soak": "2s", "hold": "2s", "recover": {"deadline": "20m"}}
    slow = {"phases": phases, "observe": {"probes": {"every": "1s", "timeout": "30s"}}}
    return file_drill.make(root, service, settings={"notifications": {"channels": channels}}, **slow, **fields)


@pytest.mark.drill
def test_a_drill_tells_of_its_course_and_a_dead_channel_costs_it_nothing(tmp_path, service, ear, monkeypatch):
    monkeypatch.setenv("OPS_URL", f"json://me:{SECRET}@127.0.0.1:{ear.port}/")
    monkeypatch.setenv("DEAD_URL", f"json://me:{SECRET}@127.0.0.1:9/")
    channels = [{"name": "ops", "url": "${OPS_URL}"}, {"name": "gone", "url": "${DEAD_URL}", "on": ["end"]}]
    back = file_drill.activity("copy-back", "shutil", "copyfile", src=str(tmp_path / "aside"), dst=str(service[1]))
    root = workspace(tmp_path / "w", service, channels, objectives={"rto": "2s"}, recover=[file_drill.pause(5), back])
    done = file_drill.drillmark(root, "run", file_drill.DRILL)
    (run,) = (root / "reports" / "runs").iterdir()
    result = json.loads((run / "result.json").read_text())
    assert done.returncode == result["exit_code"], done.stdout + done.stderr
    start, risk, end, *gaps = ear.json()
    assert start["title"] == "[Drillmark] file-lost has started"
    assert risk["title"].endswith("% of its RTO is used")
    assert "now: recover, recover: wait" in risk["message"]
    assert end["title"] == f"[Drillmark] file-lost: {result['verdict']}"
    assert f"run {run.name}, target the-file" in end["message"]
    filed = [gap for gap in result["gaps"] if gap["state"] == "open"]
    assert [gap["title"] for gap in gaps] == [f"[Drillmark] gap: {gap['title']}" for gap in filed]
    assert filed
    said = done.stdout + done.stderr
    assert f'warning: the channel gone was not told "file-lost: {result["verdict"]}": ' in said
    assert SECRET not in said + everything_stored(root)


@pytest.mark.drill
def test_a_bare_experiment_tells_of_its_course(tmp_path, ear):
    channel = {"name": "ops", "url": f"json://127.0.0.1:{ear.port}/"}
    (tmp_path / "drillmark.yaml").write_text(yaml.safe_dump({"notifications": {"channels": [channel]}}))
    (tmp_path / "x.json").write_text(json.dumps(experiment([shell("do", "true")], [shell("undo", "true")])))
    done = file_drill.drillmark(tmp_path, "experiment", "x.json", "--json")
    assert done.returncode in (0, 4), done.stderr
    ear.wait(lambda: len(ear.received) >= 2, "two messages")
    assert ear.titles()[0] == "x has started", ear.titles()
    assert ear.titles()[1].startswith("x: "), ear.titles()


def test_an_aborted_drill_tells_so(tmp_path, service, ear):
    channels = [{"name": "ops", "url": f"json://127.0.0.1:{ear.port}/", "on": ["start", "abort", "end"]}]
    root = workspace(
        tmp_path / "w",
        service,
        channels,
        recover=[file_drill.pause(600)],
        rollbacks=[file_drill.put_back(service[1])],
    )
    run = file_drill.start(root, "run", file_drill.DRILL)
    ear.wait(lambda: bool(ear.received), "start")
    assert file_drill.drillmark(root, "abort", "last", "--reason", "enough").returncode == 0
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 3, said
    _, abort, end = ear.json()
    assert abort["title"] == "[Drillmark] file-lost is aborted"
    assert "enough" in abort["message"]
    assert end["title"] == "[Drillmark] file-lost: aborted (unknown)"


def test_notify_says_which_channels_are_dead(tmp_path, service, ear, monkeypatch):
    monkeypatch.setenv("OPS_URL", f"json://me:{SECRET}@127.0.0.1:9/")
    quiet = {"from": "00:00", "to": "23:59"}
    channels = [
        {"name": "ops", "url": "${OPS_URL}"},
        {"name": "hook", "url": f"json://127.0.0.1:{ear.port}/", "on": ["start"]},
    ]
    settings = {"notifications": {"channels": channels, "quiet": quiet}}
    root = file_drill.make(tmp_path / "w", service, settings=settings)
    done = file_drill.drillmark(root, "notify")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first.startswith("ops: NOT told: ")
    assert second == "hook: told"
    assert SECRET not in done.stdout + done.stderr
    assert ear.titles() == ["this is a test"]
    assert file_drill.drillmark(root, "notify", "hook").returncode == 0
    unknown = file_drill.drillmark(root, "notify", "hok")
    assert (unknown.returncode, "did you mean `hook`?" in unknown.stderr) == (2, True)
