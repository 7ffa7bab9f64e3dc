"""What a lab is, as `lab.json` holds it. One writer at a time: `up` until the supervisor lives, then it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drillmark import files
from drillmark.errors import LabError
from drillmark.lab.layout import ADMIN_SERVICE, SERVICE, Layout
from drillmark.processes import ProcessIdentity

SCHEMA = "drillmark.lab/1"


@dataclass(slots=True)
class Cluster:
    """One PostgreSQL cluster of the lab.

    Attributes:
        held: the supervisor must never start it.
        retired: another cluster took its place in a switch-over; the supervisor does not start it either.
        state: as last seen: `ready`, `standby`, `starting`, `stopping`, `down`, `missing` (no directory).
        starts: how often the supervisor has started it.
        shared_memory_ids: System V segments that its servers made, to be removed with the lab.
    """

    name: str
    data_directory: str
    port: int
    held: bool = False
    retired: bool = False
    state: str = "down"
    starts: int = 0
    process: ProcessIdentity | None = None
    shared_memory_ids: list[int] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The data directory."""
        return Path(self.data_directory)


@dataclass(slots=True)
class Service:
    """The order service. `state`: `starting`, `running` or `down`."""

    port: int
    state: str = "down"
    starts: int = 0
    process: ProcessIdentity | None = None


@dataclass(slots=True)
class LabState:
    """A lab, as it stands in `lab.json`.

    Attributes:
        directory: absolute path of the lab.
        state: `creating` (an `up` has not ended), `up`, `degraded` (something of it is down or held),
            `unsupervised` (its supervisor is gone), `stopped`.
        detail: one sentence about a state that is not `up`.
        scale_bytes: how much data the lab was made with.
        short_directory: a folder with a short path, for the control socket.
        primary: name of the cluster that the service file points to.
        backup_every_seconds: schedule of base backups.
        last_backup: name of the newest complete base backup, or an empty string.
        copy_port: a port for a copy that a drill restores to the side; nothing of the lab listens there.
    """

    directory: str
    short_directory: str
    scale_bytes: int
    primary: str
    service: Service
    clusters: dict[str, Cluster] = field(default_factory=dict)
    state: str = "creating"
    detail: str = ""
    supervisor: ProcessIdentity | None = None
    backup_every_seconds: float = 600.0
    last_backup: str = ""
    last_backup_error: str = ""
    copy_port: int = 0

    @property
    def layout(self) -> Layout:
        """The paths of this lab."""
        return Layout(Path(self.directory))

    @property
    def control(self) -> Path:
        """The supervisor's control socket."""
        return Path(self.short_directory) / "control"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which drills, activities and observers find this lab. No secret is among them."""
        return {
            "ORDERS_URL": f"http://127.0.0.1:{self.service.port}",
            "ORDERS_DSN": f"service={SERVICE}",
            "ORDERS_ADMIN_DSN": f"service={ADMIN_SERVICE}",
            "ORDERS_COPY_DSN": f"service={SERVICE} host=127.0.0.1 port={self.copy_port}",
            "ORDERS_COPY_PORT": str(self.copy_port),
            "PGSERVICEFILE": str(self.layout.service_file),
            "PGPASSFILE": str(self.layout.password_file),
            "DRILLMARK_LAB": self.directory,
            "DRILLMARK_LAB_CONTROL": str(self.control),
        }

    def as_json(self) -> dict[str, Any]:
        """The form that stands in `lab.json` and that `lab status --json` prints."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "control": str(self.control),
            "environment": self.environment,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LabState:
        """The inverse of `as_json`. Raises KeyError, TypeError or ValueError on anything else."""
        if data["schema"] != SCHEMA:
            raise ValueError(f"not {SCHEMA}: {data['schema']!r}")
        values = {key: value for key, value in data.items() if key not in {"schema", "control", "environment"}}
        values["supervisor"] = _process(values["supervisor"])
        values["service"] = Service(**_with_process(values["service"]))
        values["clusters"] = {name: Cluster(**_with_process(cluster)) for name, cluster in values["clusters"].items()}
        return cls(**values)


def read(layout: Layout) -> LabState | None:
    """What `lab.json` says, or None where there is none.

    Raises:
        LabError: there is one that cannot be read.
    """
    try:
        return LabState.from_json(json.loads(layout.record.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"cannot read {layout.record}: {error}",
            hint="`drillmark lab down` takes the lab away.",
            code="lab-unreadable",
        ) from error


def write(state: LabState) -> None:
    """Write `lab.json` atomically and durably."""
    files.write_durably(state.layout.record, json.dumps(state.as_json(), indent=2) + "\n")


def _with_process(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "process": _process(data["process"])}


def _process(data: dict[str, Any] | None) -> ProcessIdentity | None:
    return None if data is None else ProcessIdentity(int(data["pid"]), str(data["start"]))
