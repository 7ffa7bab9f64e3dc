"""What machines are told of drills: the `logs` and `metrics` of `drillmark.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from drillmark.define.base import Strict
from drillmark.define.drill import HostPort
from drillmark.define.units import WorkspacePath


class Logs(Strict):
    """The structured log."""

    to: WorkspacePath | None = Field(
        default=None,
        description="Where it goes: `stderr`, or a file from the workspace root; nowhere unless given.",
        examples=["stderr", "logs/drillmark.jsonl"],
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is left out: all that matters less than this; `info` unless given."
    )


class Metrics(Strict):
    """What a worker shows of itself."""

    listen: HostPort = Field(
        default="127.0.0.1:9096",
        description="Where a worker answers /metrics and /healthz; 127.0.0.1:9096 unless given.",
    )
