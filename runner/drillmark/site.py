"""The system that faults and recoveries act on: the lab by its control socket, or a data directory that is named.

Says which cluster serves, holds its supervisor, releases it. Must never decide anything by itself.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillmark import clock, postgres
from drillmark.errors import RecoveryError
from drillmark.lab import control as lab_control

CONTROL = "DRILLMARK_LAB_CONTROL"
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Site:
    """One cluster, and its supervisor where it has one.

    Attributes:
        name: the cluster's name.
        data_directory: where it is, or was.
        port: its TCP port on the loopback; 0 where nobody said.
        control: the supervisor's control socket, or an empty string.
    """

    name: str
    data_directory: Path
    port: int
    control: str

    def hold(self) -> None:
        """From now on the supervisor does not start this cluster. Raises LabError where it does not answer."""
        if self.control:
            lab_control.insist(self.control, "POST", "/hold", {"cluster": self.name})

    def release(self) -> None:
        """The supervisor looks after this cluster again, and starts it if it is down and still counts."""
        if self.control:
            lab_control.insist(self.control, "POST", "/release", {"cluster": self.name})

    def serves(self) -> bool:
        """Whether users are led to this cluster (without a supervisor nobody else could serve)."""
        return not self.control or status(self.control)["primary"] == self.name

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Wait until its server takes connections. Raises RecoveryError when it does not in time."""
        deadline = clock.monotonic_ns() + round(timeout_seconds * 1e9)
        while not self.is_ready():
            if clock.monotonic_ns() > deadline:
                raise RecoveryError(f"cluster {self.name} does not take connections after {timeout_seconds:g} s")
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Whether its server lives and says that it takes connections."""
        alive = postgres.postmaster(self.data_directory) is not None
        return alive and postgres.postmaster_state(self.data_directory) == "ready"

    def port_answers(self) -> bool:
        """Whether anybody listens on its port."""
        try:
            with socket.create_connection((_LOOPBACK, self.port), timeout=1):
                return True
        except OSError:
            return False


def find(
    configuration: Mapping[str, Any] | None,
    *,
    data_directory: str | None = None,
    port: int | None = None,
    cluster: str | None = None,
) -> Site:
    """The cluster that is meant: the one named, or the lab's that serves now.

    Raises RecoveryError where nobody says which, LabError where the lab does not answer.
    """
    if data_directory:
        path = Path(data_directory).absolute()
        return Site(path.name, path, port or _port_of(path), "")
    control = control_of(configuration)
    if not control:
        raise RecoveryError(
            "nobody says which PostgreSQL is meant",
            hint=f"give `data_directory`, or start the lab ({CONTROL})",
        )
    lab = status(control)
    name = cluster or lab["primary"]
    if name not in lab["clusters"]:
        raise RecoveryError(f"the lab has no cluster {name}", hint=f"it has {', '.join(lab['clusters'])}")
    known = lab["clusters"][name]
    return Site(name, Path(known["data_directory"]), int(known["port"]), control)


def control_of(configuration: Mapping[str, Any] | None) -> str:
    """The control socket of the lab's supervisor, or an empty string."""
    return str((configuration or {}).get("lab_control") or os.environ.get(CONTROL, ""))


def status(control: str) -> dict[str, Any]:
    """What the lab's supervisor says: `primary`, `clusters` by name. Raises LabError."""
    return lab_control.insist(control, "GET", "/status")


def adopt(control: str, name: str, data_directory: Path, port: int) -> None:
    """From now on the lab's supervisor looks after this running cluster too. Raises LabError."""
    body = {"cluster": name, "data_directory": str(data_directory), "port": port}
    lab_control.insist(control, "POST", "/adopt", body)


def switch(control: str, name: str) -> None:
    """The lab leads users to this cluster, and retires all others. Raises LabError."""
    lab_control.insist(control, "POST", "/switch", {"cluster": name})


def held(control: str) -> list[str]:
    """Names of the clusters that are held."""
    return [name for name, cluster in status(control)["clusters"].items() if cluster["held"]]


def _port_of(data_directory: Path) -> int:
    try:
        return int((data_directory / "postmaster.pid").read_text(encoding="utf-8").splitlines()[3])
    except (OSError, IndexError, ValueError):
        return 0
