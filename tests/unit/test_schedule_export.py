"""What `schedule export` writes, held against each scheduler's own rules, and against when the drill is due."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from croniter import croniter
from in_cluster import kubectl, needs_cluster

from debian import needs
from drillmark import calendar
from drillmark.calendar.export import WRITERS, Job
from schedules import at, schedule

NOW = at("2027-01-01")
NIGHTS = {"days": "tue-thu", "from": "02:00", "to": "05:00"}
SCHEDULES = {
    "first-tuesday": {"cron": "0 3 * 1,4,7,10 tue#1", "time_zone": "Europe/Berlin", "jitter": "10m", "missed": {"run_within": "6h"}},
    "end-of-quarter": {"cron": "30 4 L 3,6,9,12 *", "time_zone": "America/New_York"},
    "joined-by-or": {"cron": "0 3 2-8 1,4,7,10 2"},
    "steps-joined-by-or": {"cron": "0 3 */10 * mon"},
    "two-of-a-month": {"cron": "0 3 * * mon#1,wed#3"},
    "early-in-the-east": {"cron": "0 3 1 * *", "time_zone": "Pacific/Auckland"},
    "half-hours": {"cron": "15 1 * * sat", "time_zone": "Australia/Lord_Howe"},
    "night": {"every": "night", "time_zone": "Europe/Berlin", "missed": "once"},
    "week": {"every": "week"},
    "quarter": {"every": "quarter"},
    "quarter-in-a-window": {"every": "quarter", "window": NIGHTS, "time_zone": "Europe/Berlin"},
    "quarter-after-a-freeze": {"every": "quarter", "window": {"days": "thu", "from": "22:00", "to": "04:00"}, "blackouts": ["2027-03-20/2027-04-01"]},
    "year": {"every": "year", "time_zone": "Asia/Kolkata"},
}  # fmt: skip
each_schedule = pytest.mark.parametrize("name", list(SCHEDULES))


def job(name: str, **more: object) -> Job:
    fields: dict = {
        "drill": name, "title": 'The "orders" database: 100% lost # and back', "schedule": schedule(**SCHEDULES[name]), "now": NOW,
        "folder": "/srv/drills of 100%", "program": sys.executable, "image": "registry.example/drillmark:1",
    }  # fmt: skip
    return Job(**(fields | more))


def only(made: dict[str, str]) -> str:
    (text,) = made.values()
    return text


def dues(name: str) -> list[datetime]:
    found = calendar.occurrences(schedule(**SCHEDULES[name]), name, after=NOW, until=at("2028-01-20"))
    return [each.due for each in found]


def within(words: list[str]) -> timedelta:
    return timedelta(seconds=int(words[words.index("--within") + 1].removesuffix("s")))


def fires(lines: list[str], zone: str, due: datetime, span: timedelta) -> bool:
    """Whether one of the lines fires in the span from `due` on, by croniter's own reading."""
    walls = [
        (due + timedelta(minutes=step)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        for step in range(int(span.total_seconds()) // 60)
    ]
    return any(croniter.match(line, wall) for wall in walls for line in lines)


@each_schedule
def test_a_cron_job_of_kubernetes_has_what_the_api_demands_and_fires_whenever_the_drill_is_due(name):
    made = yaml.safe_load(only(WRITERS["kubernetes"](job(name))))
    spec = made["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert (made["apiVersion"], made["kind"]) == ("batch/v1", "CronJob")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", made["metadata"]["name"])
    assert (spec["concurrencyPolicy"], spec["jobTemplate"]["spec"]["backoffLimit"], pod["restartPolicy"]) == (
        "Forbid",
        0,
        "Never",
    )
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {each["name"] for each in pod["containers"][0]["volumeMounts"]}
    assert mounts == {each["name"] for each in pod["volumes"]}
    span = min(within(pod["containers"][0]["command"]), timedelta(hours=1))
    assert re.fullmatch(r"[0-9*, ]+", spec["schedule"])  # numbers alone: no dialect of any cron
    assert not [due for due in dues(name) if not fires([spec["schedule"]], spec["timeZone"], due, span)]


def test_long_names_stay_apart_and_within_what_kubernetes_allows():
    names = [
        yaml.safe_load(only(WRITERS["kubernetes"](job("night", drill="a" * 61 + end))))["metadata"]["name"]
        for end in "bc"
    ]
    assert len(set(names)) == 2
    assert all(len(name) <= 52 for name in names)


@needs_cluster
def test_a_cluster_takes_the_cron_job_in_a_dry_run():
    """Only where a cluster is given; `tests/cluster` runs one there."""
    texts = [only(WRITERS["kubernetes"](job(name))) for name in SCHEDULES]
    told = kubectl("create", "--dry-run=server", "-f", "-", stdin="---\n".join(texts))
    assert told.count("(server dry run)") == len(SCHEDULES)
    broken = yaml.safe_load(texts[0])
    broken["spec"]["timeZone"] = "Europe/Nowhere"
    assert kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(broken), check=False) == ""


@pytest.mark.parametrize(
    ("to", "schema"), [("github-actions", "vendor.github-workflows"), ("gitlab", "vendor.gitlab-ci")]
)
def test_a_pipeline_is_valid_by_the_schema_of_its_scheduler(to, schema, tmp_path):
    paths: list[str] = []
    for name in SCHEDULES:
        paths.append(str(tmp_path / f"{name}.yaml"))
        Path(paths[-1]).write_text(only(WRITERS[to](job(name))))
    tool = str(Path(sys.executable).with_name("check-jsonschema"))
    done = subprocess.run(
        [tool, "--builtin-schema", schema, *paths], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    broken = yaml.safe_load(Path(paths[0]).read_text())
    broken["jobs" if "jobs" in broken else next(iter(broken))] = 5
    Path(paths[0]).write_text(yaml.safe_dump(broken))
    done = subprocess.run(
        [tool, "--builtin-schema", schema, paths[0]], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stdout  # the schema would notice


@each_schedule
def test_a_workflow_of_github_takes_each_occurrence_once_although_it_knows_utc_alone(name):
    made = yaml.safe_load(only(WRITERS["github-actions"](job(name))))
    lines = [each["cron"] for each in made["on"]["schedule"]]
    command = next(step["run"] for step in made["jobs"]["drill"]["steps"] if "schedule run" in step.get("run", ""))
    span = within(command.split())
    starts = {
        each.due
        for line in lines
        for each in calendar.occurrences(schedule(cron=line), "x", after=NOW, until=at("2028-01-20"))
    }
    expected = dues(name)
    taken: list[datetime] = []
    for start in sorted(starts):
        taken += expected[bisect_right(expected, start - span) : bisect_right(expected, start)]
    assert sorted(taken) == expected


@each_schedule
def test_a_job_of_gitlab_says_which_pipeline_schedule_to_make(name):
    text = only(WRITERS["gitlab"](job(name)))
    made = yaml.safe_load(text)[f"drillmark-{name}"]
    line, zone = re.search(r"--cron '([^']+)' --cronTimeZone '([^']+)'", text).groups()
    assert made["rules"] == [{"if": f'$CI_PIPELINE_SOURCE == "schedule" && $DRILL == "{name}"'}]
    assert f"--variable DRILL:{name}" in text
    span = within(made["script"][-1].split())
    assert not [due for due in dues(name) if not fires([line], zone, due, span)]


@needs("systemd", found=bool(shutil.which("systemd-analyze")))
def test_systemd_takes_the_units(tmp_path):
    units: list[str] = []
    for name in SCHEDULES:
        for file, text in WRITERS["systemd"](job(name, folder=str(tmp_path))).items():
            (tmp_path / file).write_text(text)
            units.append(str(tmp_path / file))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=120, check=False
    )
    told = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "drillmark-" in line]
    assert (done.returncode, told) == (0, []), done.stderr
    broken = tmp_path / "drillmark-night.timer"
    broken.write_text(broken.read_text().replace("OnCalendar=*-", "OnCalendar=never-"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(broken)], capture_output=True, text=True, timeout=120, check=False
    )
    assert "drillmark-night.timer" in done.stderr


@needs("systemd", found=bool(shutil.which("systemd-analyze")))
@pytest.mark.parametrize(
    "name",
    ["first-tuesday", "end-of-quarter", "joined-by-or", "two-of-a-month", "early-in-the-east", "night", "quarter"],
)
def test_a_timer_of_systemd_fires_exactly_when_the_drill_is_due(name):
    timer = WRITERS["systemd"](job(name))[f"drillmark-{name}.timer"]
    fired: set[datetime] = set()
    for text in re.findall(r"^OnCalendar=(.*)$", timer, flags=re.MULTILINE):
        command = ["systemd-analyze", "calendar", "--base-time=2027-01-01 00:00:00 UTC", "--iterations=30", text]
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True, env=os.environ | {"TZ": "UTC"}
        ).stdout
        found = re.findall(r"(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", told)
        fired |= {datetime.fromisoformat(each).replace(tzinfo=UTC) for each in found}
    expected = dues(name)[:8]
    assert sorted(fired)[: len(expected)] == expected


@each_schedule
def test_a_crontab_has_one_line_that_fires_whenever_the_drill_is_due(name):
    text = only(WRITERS["cron"](job(name)))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    zone = lines[0].removeprefix("CRON_TZ=")
    *fields, command = lines[1].split(" ", 5)
    assert command.startswith(r"cd '/srv/drills of 100\%' && ")  # a bare % would end the command there
    assert not [due for due in dues(name) if not fires([" ".join(fields)], zone, due, timedelta(hours=1))]


def test_titles_cannot_break_out_of_any_file():
    nasty = 'x\nExecStart=/bin/false\n* * * * * root false: "%h" \\'
    for to, write in WRITERS.items():
        for text in write(job("night", title=nasty)).values():
            assert not [line for line in text.splitlines() if line.startswith(("ExecStart=/bin/false", "* * * * *"))], (
                to
            )
