"""A workflow of GitHub Actions, and a job of GitLab CI. Both begin with a fresh checkout; what ran is an artefact."""

from __future__ import annotations

from typing import Any

import yaml

from drillmark.calendar.export.fields import fields, in_utc
from drillmark.calendar.export.job import Job, one_line
from drillmark.calendar.zones import zone

_INSTALL = "pip install 'drillmark[lab,fleet]'"


def github(job: Job) -> dict[str, str]:
    """A workflow. GitHub knows UTC alone: where clocks change, it starts more often, and only what is due runs."""
    lines: list[dict[str, str]] = [{"cron": str(each)} for each in in_utc(job.schedule, job.now)]
    steps: list[dict[str, Any]] = [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12"}},
        {"run": _INSTALL},
        {"run": " ".join(["drillmark", *job.arguments(anew=True)])},
        {
            "uses": "actions/upload-artifact@v4",
            "if": "always()",
            "with": {"name": f"drillmark-{job.drill}", "path": "reports/", "if-no-files-found": "ignore"},
        },
    ]
    workflow = {
        "name": f"Drill {job.drill}",
        "on": {"schedule": lines},
        "permissions": {"contents": "read"},
        "concurrency": {"group": f"drillmark-{job.drill}", "cancel-in-progress": False},
        "jobs": {"drill": {"runs-on": "ubuntu-latest", "steps": steps}},
    }
    head = (
        f"# {one_line(job.title)}. Written by `drillmark schedule export --to github-actions {job.drill}`.\n"
        "# Times are UTC. GitHub starts late when it is busy; a start that is more than an hour late runs nothing.\n"
    )
    return {f".github/workflows/drillmark-{job.drill}.yaml": head + yaml.safe_dump(workflow, sort_keys=False)}


def gitlab(job: Job) -> dict[str, str]:
    """A job, for a pipeline schedule: GitLab keeps times outside the file, so its head says what to enter there."""
    content = {
        f"drillmark-{job.drill}": {
            "image": "python:3.12",
            "rules": [{"if": f'$CI_PIPELINE_SOURCE == "schedule" && $DRILL == "{job.drill}"'}],
            "resource_group": f"drillmark-{job.drill}",
            "interruptible": False,
            "script": [_INSTALL, " ".join(["drillmark", *job.arguments(anew=True)])],
            "artifacts": {"when": "always", "paths": ["reports/"], "reports": {"junit": "reports/runs/*/junit.xml"}},
        }
    }
    line, name = fields(job.schedule), zone(job.schedule.time_zone).key
    head = (
        f"# {one_line(job.title)}. Written by `drillmark schedule export --to gitlab {job.drill}`.\n"
        "# Include it in .gitlab-ci.yml, and make the schedule (Build, Pipeline schedules), or:\n"
        f"#   glab schedule create --cron '{line}' --cronTimeZone '{name}' --ref main \\\n"
        f"#     --description 'Drill {job.drill}' --variable DRILL:{job.drill}\n"
    )
    return {f"drillmark-{job.drill}.gitlab-ci.yml": head + yaml.safe_dump(content, sort_keys=False)}
