"""What the control socket offers: hold, release, adopt, switch, backup, status.

Must write `lab.json` before it answers a request that changed the lab.
"""

from __future__ import annotations

import http.client
import logging
from pathlib import Path
from typing import Any

from drillmark import postgres
from drillmark.lab import service_file
from drillmark.lab.control import ControlError
from drillmark.lab.control_server import Handler
from drillmark.lab.keeper import Keeper
from drillmark.lab.schedule import Schedule
from drillmark.lab.state import Cluster

log = logging.getLogger("drillmark.lab.requests")


class Requests:
    """Answers requests; each method's answer is JSON, mostly the whole lab."""

    def __init__(self, keeper: Keeper, schedule: Schedule) -> None:
        self._keeper = keeper
        self._schedule = schedule

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Method and path of each request, and who answers it."""
        return {
            ("GET", "/status"): lambda _: self.status(),
            ("POST", "/hold"): lambda body: self.hold(_name(body)),
            ("POST", "/release"): lambda body: self.release(_name(body)),
            ("POST", "/adopt"): lambda body: self.adopt(
                _name(body), Path(str(body["data_directory"])), int(body["port"])
            ),
            ("POST", "/switch"): lambda body: self.switch(_name(body)),
            ("POST", "/backup"): lambda _: self.backup(),
        }

    def status(self) -> dict[str, Any]:
        """The lab as of now."""
        with self._keeper.lock:
            self._keeper.refresh()
            return self._keeper.lab.as_json()

    def hold(self, name: str) -> dict[str, Any]:
        """Never start that cluster again until it is released. A running one goes on running."""
        with self._keeper.lock:
            self._keeper.cluster(name).held = True
            return self._changed(f"held {name}")

    def release(self, name: str) -> dict[str, Any]:
        """Supervise that cluster again, and start it at once if it is down, in its place and not retired."""
        with self._keeper.lock:
            cluster = self._keeper.cluster(name)
            cluster.held = False
            self._keeper.start_now(cluster)
            return self._changed(f"released {name}")

    def adopt(self, name: str, data_directory: Path, port: int) -> dict[str, Any]:
        """Supervise a running cluster that somebody else started."""
        process = postgres.postmaster(data_directory)
        if process is None:
            raise ControlError(f"no server runs in {data_directory}", hint="Start it before it is adopted.")
        with self._keeper.lock:
            clusters = self._keeper.lab.clusters
            known = clusters.setdefault(name, Cluster(name, str(data_directory), port))
            if known.data_directory != str(data_directory):
                raise ControlError(f"there is a cluster {name} already, in {known.data_directory}")
            known.port, known.process, known.held, known.retired = port, process, False, False
            self._keeper.observe(known)
            return self._changed(f"adopted {name}")

    def switch(self, name: str) -> dict[str, Any]:
        """Let the service file lead to that cluster, and tell the order service. The others retire.

        A retired cluster is not started any more, and not stopped either. A base backup follows.
        """
        with self._keeper.lock:
            lab = self._keeper.lab
            target = self._keeper.cluster(name)
            self._keeper.observe(target)
            if target.process is None:
                raise ControlError(f"cluster {name} does not run: nothing was switched")
            lab.primary = name
            for cluster in lab.clusters.values():
                cluster.retired = cluster.name != name
            # Written first: a supervisor that comes after a crash makes the service file agree with it.
            answer = self._changed(f"switched to {name}")
            service_file.point(lab.layout, target.port)
            port = lab.service.port
        self._schedule.soon()
        return {**answer, "service_reconnected": _tell_service(port)}

    def backup(self) -> dict[str, Any]:
        """Take a base backup now, and wait for it."""
        taken = self._schedule.take()
        return {"name": taken.name, "size_bytes": taken.size_bytes, "seconds": taken.seconds}

    def _changed(self, what: str) -> dict[str, Any]:
        self._keeper.save()
        log.info("%s", what)
        return self._keeper.lab.as_json()


def _name(body: dict[str, Any]) -> str:
    return str(body["cluster"])


def _tell_service(port: int) -> bool:
    # A service that is down reads the service file when it starts.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("POST", "/admin/reconnect")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
