"""What a worker shows of itself, asked for over HTTP, and read by Prometheus's own parser."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

import builders
from drillmark import clock
from drillmark.engine.paths import WorkspacePaths
from drillmark.engine.view import Live
from drillmark.errors import UsageError
from drillmark.journal.entries import follow
from drillmark.journal.opening import open_store
from drillmark.journal.store import RunRow
from drillmark.model.entry import Kind
from drillmark.model.plan import Objectives
from drillmark.telling.following import Follower
from drillmark.telling.health import Health
from drillmark.telling.metrics import Facts, WorkerMetrics
from drillmark.telling.news import Message
from drillmark.telling.server import Server


def samples(metrics: WorkerMetrics) -> dict[str, float]:
    text, _ = metrics.render("")
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def hear(listener, *items) -> None:
    entry = None
    for kind, data in items:
        entry = follow(entry, run="r1", epoch=1, kind=kind, stamp=clock.now(), data=data)
        listener.entry(entry, "")


STARTED = (Kind.RUN_STARTED, {"drill": "d", "target": "t"})
INJECT = (Kind.INTENT, {"effect": "inject", "key": "", "attempt": 1})


def test_what_is_not_known_is_not_shown():
    names = samples(WorkerMetrics("w1"))
    assert names["drillmark_worker_info{version=0.1.0,worker=w1}"] == 1
    assert not [
        name for name in names if name.startswith(("drillmark_heartbeat", "drillmark_waiting", "drillmark_drill"))
    ]


def test_the_calendar_is_shown_and_forgotten_again():
    metrics = WorkerMetrics()
    metrics.heartbeat(Facts(3, 1, {"a": True, "b": False}, {"a": 1.5}, {"high": 2}))
    found = samples(metrics)
    assert found["drillmark_waiting_drills{}"] == 3
    assert found["drillmark_running_drills{}"] == 1
    assert (found["drillmark_drill_overdue{drill=a}"], found["drillmark_drill_overdue{drill=b}"]) == (1, 0)
    assert found["drillmark_drill_next_due_timestamp_seconds{drill=a}"] == 1.5
    assert found["drillmark_gaps_open{severity=high}"] == 2
    assert found["drillmark_heartbeat_timestamp_seconds{}"] > 1_700_000_000
    metrics.heartbeat(Facts(overdue={"b": False}))
    found = samples(metrics)
    assert "drillmark_drill_overdue{drill=a}" not in found
    assert "drillmark_waiting_drills{}" not in found
    assert found["drillmark_drill_overdue{drill=b}"] == 0
    metrics.heartbeat(Facts(waiting=0))
    assert samples(metrics)["drillmark_waiting_drills{}"] == 0


def test_a_run_is_followed_from_its_fault_to_its_end(tmp_path):
    metrics = WorkerMetrics()
    listener = metrics.listener(tmp_path)
    in_effect = "drillmark_fault_in_effect{drill=d,target=t}"
    hear(listener, STARTED)
    assert samples(metrics)["drillmark_run_in_progress{drill=d}"] == 1
    assert in_effect not in samples(metrics)
    hear(listener, STARTED, INJECT)
    assert samples(metrics)[in_effect] == 1
    listener.tick(Live("r1", "recover", "", 1, None, 9.0, 10.0))
    listener.tick(Live("r1", "soak", "", 1, None, 30.0, 10.0, beats=("good",)))
    assert samples(metrics)["drillmark_run_rto_used_ratio{drill=d}"] == 0.9
    hear(listener, STARTED, (Kind.OUTCOME, {"effect": "undo", "key": "", "attempt": 1, "status": "failed"}))
    assert samples(metrics)["drillmark_undo_failures_total{drill=d,target=t}"] == 1
    assert samples(metrics)[in_effect] == 1
    hear(listener, STARTED, (Kind.UNDONE, {"experiment": "x"}), (Kind.RUN_ENDED, {"verdict": "failed", "exit_code": 1}))
    found = samples(metrics)
    assert (found[in_effect], found["drillmark_run_in_progress{drill=d}"]) == (0, 0)
    assert found["drillmark_runs_total{drill=d,verdict=failed}"] == 1
    assert found["drillmark_drill_last_end_timestamp_seconds{drill=d,verdict=failed}"] > 1_700_000_000
    assert not [name for name in found if name.startswith("drillmark_drill_observed_seconds")]


def test_what_was_observed_is_an_interval_and_an_older_one_is_not_kept():
    metrics = WorkerMetrics()
    metrics.ended("d", "passed", {"rto": {"observed_seconds": {"lo": 1.0, "hi": 2.0}, "objective_seconds": 9.0}})
    found = samples(metrics)
    assert found["drillmark_drill_observed_seconds{bound=lo,drill=d,objective=rto}"] == 1
    assert found["drillmark_drill_observed_seconds{bound=hi,drill=d,objective=rto}"] == 2
    assert found["drillmark_drill_objective_seconds{drill=d,objective=rto}"] == 9
    metrics.ended("d", "unknown", {"rto": {"observed_seconds": {"lo": 1.0, "hi": None}, "objective_seconds": 9.0}})
    assert "drillmark_drill_observed_seconds{bound=hi,drill=d,objective=rto}" not in samples(metrics)


def test_messages_to_channels_are_counted():
    metrics = WorkerMetrics()
    metrics.told("ops", Message("end", "x"), "failed", "gone")
    assert samples(metrics)["drillmark_notifications_total{channel=ops,event=end,outcome=failed}"] == 1


def test_what_can_fail_is_counted_from_zero_on():
    """Prometheus sees no increase in a series that begins with one."""
    metrics = WorkerMetrics()
    metrics.expect(["ops"], [("d", "t")])
    found = samples(metrics)
    assert found["drillmark_notifications_total{channel=ops,event=overdue,outcome=failed}"] == 0
    assert found["drillmark_undo_failures_total{drill=d,target=t}"] == 0
    metrics.counted("ops", "overdue", "failed")
    assert samples(metrics)["drillmark_notifications_total{channel=ops,event=overdue,outcome=failed}"] == 1


def ask(server: Server, path: str, **headers: str) -> tuple[int, str, str]:
    request = urllib.request.Request(f"http://{server.address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_the_server_answers_metrics_in_the_format_that_is_asked_for():
    with Server("127.0.0.1:0", WorkerMetrics("w"), Health()) as server:
        status, content_type, text = ask(server, "/metrics")
        assert (status, content_type.split(";")[0]) == (200, "text/plain")
        assert list(text_string_to_metric_families(text))
        status, content_type, text = ask(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert (status, content_type.split(";")[0]) == (200, "application/openmetrics-text")
        assert list(openmetrics(text))
        assert ask(server, "/")[0] == 404
        assert ask(server, "/../etc/passwd")[0] == 404


def test_health_is_told_with_its_reasons():
    now = [0.0]
    health = Health(silent_after_seconds=180, monotonic=lambda: now[0])
    with Server("127.0.0.1:0", WorkerMetrics(), health) as server:

        def healthz() -> tuple[int, dict]:
            status, _, text = ask(server, "/healthz")
            return status, json.loads(text)

        assert healthz() == (200, {"ok": True, "problems": {}, "draining": False})
        now[0] = 181.0
        assert healthz() == (503, {"ok": False, "problems": {"heartbeat": "none for 181 s"}, "draining": False})
        health.heartbeat()
        assert healthz()[0] == 200
        health.problem("database", "cannot be reached")
        assert healthz() == (503, {"ok": False, "problems": {"database": "cannot be reached"}, "draining": False})
        health.problem("database", "")
        now[0] = 1000.0
        health.drain()
        assert healthz() == (200, {"ok": True, "problems": {}, "draining": True})


def test_a_client_that_says_nothing_holds_up_nobody():
    with (
        Server("127.0.0.1:0", WorkerMetrics(), Health()) as server,
        socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2]))) as silent,
    ):
        silent.sendall(b"GET /metr")
        assert ask(server, "/healthz")[0] == 200


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"cannot listen on {place}: Address already in use") as error:
            Server(place, WorkerMetrics(), Health())
        assert "metrics.listen" in error.value.hint


def test_a_run_of_another_process_is_followed_by_its_journal(tmp_path):
    metrics = WorkerMetrics()
    follower = Follower(metrics, tmp_path)
    store = open_store(WorkspacePaths(tmp_path))
    store.create(RunRow("r1", "d", "t", "reports/runs/r1", 1, 0))
    ended = (Kind.RUN_ENDED, {"verdict": "passed", "exit_code": 0})
    last = None

    def append(kind, data):
        nonlocal last
        last = store.append(last, run="r1", epoch=1, kind=kind, stamp=clock.now(), data=data)

    follower.look(["r1"])
    append(*STARTED)
    append(*INJECT)
    plan = builders.plan(objectives=Objectives(rto_seconds=0.001))
    directory = WorkspacePaths(tmp_path).runs / "r1"
    directory.mkdir(parents=True)
    follower.look(["r1"])
    assert "drillmark_run_rto_used_ratio{drill=d}" not in samples(metrics)
    (directory / "plan.json").write_text(json.dumps(plan.model_dump(mode="json")))
    follower.look(["r1"])
    assert samples(metrics)["drillmark_run_rto_used_ratio{drill=d}"] > 1
    assert samples(metrics)["drillmark_fault_in_effect{drill=d,target=t}"] == 1
    append(Kind.UNDONE, {"experiment": "x"})
    append(*ended)
    store.close()
    follower.look([])
    follower.look([])
    found = samples(metrics)
    assert found["drillmark_fault_in_effect{drill=d,target=t}"] == 0
    assert found["drillmark_runs_total{drill=d,verdict=passed}"] == 1
