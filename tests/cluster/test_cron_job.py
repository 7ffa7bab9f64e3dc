"""The CronJob that `drillmark schedule export` writes, really run: by its schedule, by hand, and stopped in the middle.

`tests/unit/test_schedule_export.py` holds its text; here a cluster does.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from in_cluster import PATIENCE_SECONDS, Place, ended, needs_image, wait_for

import file_drill

pytestmark = [needs_image, pytest.mark.drill]

NAME = "drillmark-file-lost"
EACH_MINUTE = {"cron": "* * * * *"}


def export(place: Place, **changes: Any) -> dict[str, Any]:
    """As the command writes it; `changes` are laid over its spec."""
    out = place.local.parent / "manifests"
    done = file_drill.drillmark(
        place.local,
        "schedule",
        "export",
        "file-lost",
        "--to",
        "kubernetes",
        "--image",
        place.image,
        "--output",
        str(out),
    )
    assert done.returncode == 0, done.stderr
    (written,) = out.iterdir()
    made = yaml.safe_load(written.read_text())
    made["spec"] |= changes
    return made


def pods_of(place: Place, owner: str = "") -> list[dict[str, Any]]:
    """The drill's pods, those of one job alone if it is named; oldest first."""
    found = place.pods("drillmark/drill=file-lost")
    chosen = [pod for pod in found if owner in ("", pod["metadata"]["labels"].get("batch.kubernetes.io/job-name"))]
    return sorted(chosen, key=lambda pod: pod["metadata"]["creationTimestamp"])


def by_hand(place: Place, name: str) -> None:
    place.kubectl("create", "job", f"--from=cronjob/{NAME}", name)


def end_of(place: Place, name: str = "") -> tuple[int, str]:
    """The exit code of a job's pod, and its log."""

    def first_end() -> tuple[dict[str, Any], str] | None:
        for pod in pods_of(place, name):
            if (state := ended(pod)) is not None:
                return state, pod["metadata"]["name"]
        return None

    state, pod = wait_for(first_end, f"an end of {name or 'a job of the schedule'}", lambda: seen(place))
    return state["exitCode"], place.kubectl("logs", pod)


def seen(place: Place) -> str:
    return place.kubectl("get", "cronjobs,jobs,pods") + place.kubectl("describe", "pods", "-l", "drillmark/drill")


def outcome(place: Place, job: str) -> set[str]:
    """The conditions of a job that hold."""
    found = place.get("job", job).get("status", {}).get("conditions") or []
    return {each["type"] for each in found if each["status"] == "True"}


def test_the_schedule_runs_the_drill_and_so_does_a_hand(place):
    place.make(schedule=EACH_MINUTE)
    place.apply(export(place))
    code, log = end_of(place)
    # Nobody else starts one from here on.
    place.kubectl("patch", "cronjob", NAME, "--patch", '{"spec": {"suspend": true}}')
    job = pods_of(place)[0]["metadata"]["labels"]["batch.kubernetes.io/job-name"]
    assert place.get("job", job)["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    wait_for(lambda: all(ended(pod) for pod in pods_of(place)), "the end of all starts", lambda: seen(place))
    results = place.results()
    assert results, log
    assert code == results[0]["exit_code"], log
    assert place.serves()
    assert place.left_to_undo() == []

    begun = len(results)
    wait_for(lambda: place.look("__import__('time').time()") // 60 > started(place) // 60, "another minute")
    by_hand(place, "by-hand")
    code, log = end_of(place, "by-hand")
    results = place.results()
    assert len(results) == begun + 1, log
    assert code == results[-1]["exit_code"], log
    assert {"passed"} & {result["verdict"] for result in results}, log
    told = "Complete" if code == 0 else "Failed"
    wait_for(lambda: told in outcome(place, "by-hand"), f"a job that is {told}", lambda: seen(place))
    assert place.serves()

    # Once more within the same minute it says so, and runs nothing. (A minute later it would be due again.)
    place.fill(schedule={"every": "year"})
    by_hand(place, "not-due")
    code, log = end_of(place, "not-due")
    assert (code, log.split(":")[0]) == (0, "nothing to run")
    assert len(place.results()) == begun + 1


def started(place: Place) -> float:
    """When the newest run began."""
    query = "select max(started_wall_ns) from runs"
    return (
        place.look(f"sqlite3.connect(root / '.drillmark' / 'journal.sqlite3').execute({query!r}).fetchone()[0]") / 1e9
    )


def test_a_missed_objective_is_a_failed_job_and_is_not_repeated(place):
    place.make(schedule=EACH_MINUTE, objectives={"rto": "1ms", "slo": {"availability": "90%"}})
    place.apply(export(place, suspend=True))
    by_hand(place, "late")
    code, log = end_of(place, "late")
    assert code == 1, log
    wait_for(lambda: "Failed" in outcome(place, "late"), "the end of the job", lambda: seen(place))
    assert len(pods_of(place, "late")) == 1
    assert [result["verdict"] for result in place.results()] == ["failed"]
    assert place.look('len(list(root.glob("reports/gaps/GAP-*.yaml")))') == 1
    assert place.serves()


def test_a_pod_that_is_deleted_undoes_its_fault_first(place):
    stay = {"type": "process", "path": "sleep", "arguments": ["600"], "timeout": 900}
    place.make(
        schedule=EACH_MINUTE,
        recover=[{"name": "stay", "type": "action", "provider": stay}],
        phases={"baseline": "1500ms", "soak": "2s", "hold": "1s", "recover": {"deadline": "20m"}},
        rollbacks=[file_drill.put_back(place.local / "served")],
    )
    place.apply(export(place, suspend=True))
    by_hand(place, "stopped")
    wait_for(place.is_lost, "a fault in effect", lambda: seen(place))
    (pod,) = pods_of(place, "stopped")
    place.kubectl("delete", "pod", pod["metadata"]["name"], "--timeout", f"{PATIENCE_SECONDS:g}s", seconds=400)
    assert place.serves()
    assert place.left_to_undo() == []
    (result,) = place.results()
    assert (result["verdict"], result["exit_code"]) == ("unknown", 3)
