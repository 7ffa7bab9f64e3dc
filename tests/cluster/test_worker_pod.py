"""A worker in a pod as the how-to writes it: not root, nothing writable but its volumes, well by its probes, drained.

The manifests are those of the page, with the image that is there. Those that need more than a test can give (a database
with its secret, an image with definitions) are only asked whether the cluster would take them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from in_cluster import Place, kubectl, needs_cluster, needs_image, wait_for
from prometheus_client.parser import text_string_to_metric_families

import file_drill
from drillmark.fleet.terms import Terms

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "run-a-fleet-in-kubernetes.md"
WORKER = "app.kubernetes.io/component=worker"
EACH_MINUTE = {"cron": "* * * * *"}
# Who a process is and what it may do, as it sees itself; and what of its pod has ended and was not cleared away.
_ITSELF = """
import json, os, pathlib
def may_write(path):
    try:
        pathlib.Path(path, "x").write_text("")
    except OSError as error:
        return error.strerror
    return "yes"
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
states = [p.read_bytes().rsplit(b")", 1)[1].split()[0].decode() for p in pathlib.Path("/proc").glob("[0-9]*/stat")]
print(json.dumps({
    "uid": os.getuid(), "capabilities": int(status["CapBnd"], 16), "no_new_privileges": status["NoNewPrivs"].strip(),
    "writes": {path: may_write(path) for path in ("/", "/opt", "/etc", "/tmp", "/workspace")}, "states": states,
}))
"""


def manifests() -> list[dict[str, Any]]:
    """Those of the page."""
    found = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(text) for text in found]


def deployment(image: str) -> dict[str, Any]:
    """The one of a single worker, with the image that is there."""
    (made,) = (each for each in manifests() if each["metadata"]["name"] == "drillmark-worker")
    made["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return made


@needs_cluster
def test_a_cluster_takes_every_manifest_of_the_how_to():
    made = manifests()
    kinds = {"PersistentVolumeClaim", "Deployment", "Job", "PodDisruptionBudget"}
    assert {each["kind"] for each in made} == kinds
    told = kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump_all(made))
    assert told.count("(server dry run)") == len(made)
    broken = deployment("x")
    broken["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["httpGet"]["port"] = "not a port"
    assert kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(broken), check=False) == ""


def metrics(place: Place, pod: str) -> dict[str, float]:
    """What the pod shows, fetched from outside, by way of the API."""
    path = f"/api/v1/namespaces/{place.namespace}/pods/{pod}:9096/proxy/metrics"
    text = kubectl("get", "--raw", path)
    return {
        sample.name + str(sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def rows(place: Place, query: str) -> list[list[Any]]:
    return place.look(f"sqlite3.connect(root / '.drillmark' / 'fleet.sqlite3').execute({query!r}).fetchall()")


def ready(place: Place) -> str:
    """The worker's pod, once its probes find it well."""
    for pod in place.pods(WORKER):
        conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
        if conditions.get("Ready") == "True":
            return pod["metadata"]["name"]
    return ""


def seen(place: Place) -> str:
    logs = place.kubectl("logs", "-l", WORKER, "--tail=100", check=False)
    return place.kubectl("describe", "pods", "-l", WORKER) + logs


@needs_image
@pytest.mark.drill
def test_a_worker_in_a_pod_runs_what_is_due_and_drains(place):
    place.make(schedule=EACH_MINUTE)
    place.apply(deployment(place.image))

    def told() -> str:
        return seen(place)

    # Its startup and readiness probes ask /healthz.
    pod = wait_for(lambda: ready(place), "a worker that is ready", told)
    itself = yaml.safe_load(place.kubectl("exec", pod, "--", "python", "-c", _ITSELF))
    assert (itself["uid"], itself["capabilities"], itself["no_new_privileges"]) == (65534, 0, "1")
    assert itself["writes"] == {
        "/": "Read-only file system",
        "/opt": "Read-only file system",
        "/etc": "Read-only file system",
        "/tmp": "yes",
        "/workspace": "yes",
    }
    wait_for(place.results, "a drill that was due and has ended", told)
    wait_for(
        lambda: any(name.startswith("drillmark_runs_total") for name in metrics(place, pod)), "a run in /metrics", seen
    )
    states = yaml.safe_load(place.kubectl("exec", pod, "--", "python", "-c", _ITSELF))["states"]
    assert "Z" not in states, states

    # SIGTERM while a fault is in effect: the drill ends as any other, and then the pod.
    wait_for(place.is_lost, "a drill under its fault", told)
    place.kubectl("scale", "deployment/drillmark-worker", "--replicas=0")
    wait_for(lambda: place.look('len(list(root.glob("reports/runs/*")))') == len(place.results()), "all results", told)
    wait_for(lambda: not place.pods(WORKER), "the end of the pod, long before its grace period", told)
    results = place.results()
    assert "passed" in {result["verdict"] for result in results}
    assert place.serves()
    assert place.left_to_undo() == []
    assert rows(place, "select * from fleet_locks") == []
    begun = rows(
        place, "select occurrence, count(*) from fleet_happenings where what = 'started' group by 1 order by 1"
    )
    ends = rows(place, "select occurrence, count(*) from fleet_happenings where what = 'ended' group by 1 order by 1")
    assert begun == ends
    assert {count for _, count in ends} == {1}
    assert not [result["reasons"] for result in results if result["aborted"]]


_KILL = """
import os, pathlib, signal
for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    words = path.read_bytes().split(b"\\0")
    if words[-2:-1] == [b"worker"] and int(path.parent.name) != os.getpid():
        os.kill(int(path.parent.name), signal.SIGKILL)
"""


@needs_image
@pytest.mark.drill
def test_a_container_that_is_killed_is_followed_by_one_that_undoes(place):
    due = datetime.now(tz=UTC) + timedelta(minutes=2)
    stay = {"type": "process", "path": "sleep", "arguments": ["600"], "timeout": 900}
    place.make(
        schedule={"cron": f"{due.minute} {due.hour} {due.day} {due.month} *"},  # once
        recover=[{"name": "stay", "type": "action", "provider": stay}],
        phases={"baseline": "1500ms", "soak": "2s", "hold": "1s", "recover": {"deadline": "20m"}},
        rollbacks=[file_drill.put_back(place.local / "served")],
    )
    place.apply(deployment(place.image))
    wait_for(place.is_lost, "a drill under its fault", lambda: seen(place))
    place.kubectl("exec", ready(place), "--", "python", "-c", _KILL, check=False)
    wait_for(place.results, "the end of the run", lambda: seen(place))
    (pod,) = place.pods(WORKER)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1
    assert [result["verdict"] for result in place.results()] == ["unknown"]
    assert place.serves()
    assert place.left_to_undo() == []
    wait_for(
        lambda: rows(place, "select * from fleet_occurrences where state = 'ended'"),
        "its end in the fleet",
        lambda: seen(place),
    )
    place.kubectl("scale", "deployment/drillmark-worker", "--replicas=0")
    wait_for(lambda: not place.pods(WORKER), "the end of the pod", lambda: seen(place))
    assert rows(place, "select * from fleet_locks") == []
    happened = rows(place, "select what, at from fleet_happenings order by number")
    assert [what for what, _ in happened] == ["started", "lost", "taken_over", "ended"]
    # At once: what is dead on another machine is waited for, for a lease and what its guard may need.
    died = datetime.fromisoformat(pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["finishedAt"])
    assert happened[1][1] - died.timestamp() < Terms({}).lease_seconds + Terms({}).undo_seconds
