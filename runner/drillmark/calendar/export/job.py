"""A drill that another scheduler is to run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from drillmark.calendar.export.fields import within_seconds, within_seconds_anew
from drillmark.define.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Job:
    """A drill to be run elsewhere.

    Attributes:
        folder: the workspace on the machine that runs it (systemd, cron).
        program: where the command is on that machine.
        image: the container image (Kubernetes).
        claim: the volume claim that holds the workspace (Kubernetes).
    """

    drill: str
    title: str
    schedule: Schedule
    now: datetime
    folder: str
    program: str
    image: str = ""
    claim: str = "drillmark-workspace"

    def arguments(self, *, anew: bool = False) -> list[str]:
        """What the command is given. `anew`: in a fresh checkout, which knows of no earlier run."""
        seconds = within_seconds_anew(self.schedule, self.now) if anew else within_seconds(self.schedule)
        return ["schedule", "run", self.drill, "--within", f"{seconds}s"]


def one_line(text: str) -> str:
    """A text that is safe in a comment or a description."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)
