"""What runs a drill by its schedule without our worker: files for five schedulers. Texts only; nothing is written here.

Each calls `drillmark schedule run`, which knows windows, blackouts, pauses and changes of clocks.
"""

from __future__ import annotations

from collections.abc import Callable

from drillmark.calendar.export import kubernetes, machine, pipelines
from drillmark.calendar.export.job import Job

WRITERS: dict[str, Callable[[Job], dict[str, str]]] = {
    "kubernetes": kubernetes.files,
    "github-actions": pipelines.github,
    "gitlab": pipelines.gitlab,
    "systemd": machine.systemd,
    "cron": machine.crontab,
}

__all__ = ["WRITERS", "Job"]
