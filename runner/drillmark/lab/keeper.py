"""Holds the state of a lab, and at each tick starts what is down and should not be.

One lock guards the state. Nothing is waited for under it: a server that recovers for minutes blocks no
request. Must never start a cluster that is held or retired.
"""

from __future__ import annotations

import http.client
import logging
import sys
import threading

from drillmark import clock, postgres, processes
from drillmark.lab import backups, service_file, state
from drillmark.lab.control import ControlError
from drillmark.lab.state import Cluster, LabState
from drillmark.postgres import cluster as pg_cluster
from drillmark.postgres import server as pg_server

RETRY_SECONDS = 0.3
log = logging.getLogger("drillmark.lab.keeper")


class Keeper:
    """Holds the lab's state and keeps the lab in that state."""

    def __init__(self, lab: LabState) -> None:
        self.lab = lab
        self.lock = threading.RLock()
        self._next_start_ns: dict[str, int] = {}

    def begin(self) -> None:
        """Take the lab over: adopt what lives, and make the service file agree with `lab.json`."""
        with self.lock:
            layout = self.lab.layout
            for cluster in self.lab.clusters.values():
                if cluster.process is None or not processes.is_alive(cluster.process):
                    cluster.process = postgres.postmaster(cluster.path)
            service_file.point(layout, self.lab.clusters[self.lab.primary].port)
            kept = backups.names(layout)
            self.lab.last_backup = kept[-1] if kept else ""
            self.save()

    def end(self) -> None:
        """Stop everything that the supervisor supervises, cleanly."""
        with self.lock:
            service = self.lab.service
            if service.process is not None:
                processes.end(service.process, group=True, grace_seconds=3)
                pg_server.reap(service.process)
                service.process, service.state = None, "down"
            for cluster in self.lab.clusters.values():
                if not postgres.stop(cluster.path, "fast", timeout_seconds=10):
                    postgres.stop(cluster.path, "kill", timeout_seconds=10)
                cluster.process, cluster.state = None, "down"
            self.lab.state, self.lab.detail, self.lab.supervisor = "stopped", "its supervisor was told to end", None
            state.write(self.lab)

    def tick(self) -> None:
        """Look at everything once; start what is down and should not be."""
        with self.lock:
            before = self.lab.as_json()
            for cluster in self.lab.clusters.values():
                self._look_after_cluster(cluster)
            self._look_after_service()
            self._judge()
            if self.lab.as_json() != before:
                state.write(self.lab)

    def refresh(self) -> None:
        """Look at everything once, and change nothing."""
        with self.lock:
            for cluster in self.lab.clusters.values():
                self.observe(cluster)
            self._judge()

    def save(self) -> None:
        """Write `lab.json`, durably: before anybody is told of a change."""
        with self.lock:
            self._judge()
            state.write(self.lab)

    def cluster(self, name: str) -> Cluster:
        """The cluster of that name. Raises ControlError."""
        try:
            return self.lab.clusters[name]
        except KeyError:
            known = ", ".join(self.lab.clusters)
            raise ControlError(f"no cluster {name} in this lab", hint=f"There is: {known}.") from None

    def start_now(self, cluster: Cluster) -> None:
        """Start a cluster without waiting for the next tick, if it should run and does not."""
        with self.lock:
            self._next_start_ns.pop(cluster.name, None)
            self._look_after_cluster(cluster)

    def _look_after_cluster(self, cluster: Cluster) -> None:
        self.observe(cluster)
        if cluster.process is not None or cluster.held or cluster.retired or cluster.state == "missing":
            return
        if clock.monotonic_ns() < self._next_start_ns.get(cluster.name, 0):
            return
        self._next_start_ns[cluster.name] = _after(RETRY_SECONDS)
        # While remains of a killed server still live, PostgreSQL refuses to start, and is asked again.
        pg_server.forget_dead_server(cluster.path)
        file = self.lab.layout.logs / f"postgres-{cluster.name}.log"
        cluster.process = postgres.begin(cluster.path, options={"port": cluster.port}, log=file)
        cluster.state = "starting"
        cluster.starts += 1
        log.info("started cluster %s as pid %d", cluster.name, cluster.process.pid)

    def observe(self, cluster: Cluster) -> None:
        """See whether its server lives, and what it says of itself."""
        if cluster.process is not None and not processes.is_alive(cluster.process):
            log.info("cluster %s: pid %d is dead", cluster.name, cluster.process.pid)
            pg_server.reap(cluster.process)
            cluster.process = None
        if cluster.process is None:
            # Somebody may have started it by hand: it is in its own directory, so it is this cluster.
            cluster.process = postgres.postmaster(cluster.path)
        if cluster.process is None:
            cluster.state = "down" if (cluster.path / "PG_VERSION").exists() else "missing"
            return
        cluster.state = postgres.postmaster_state(cluster.path) or "starting"
        segment = pg_cluster.shared_memory_id(cluster.path)
        if segment is not None and segment not in cluster.shared_memory_ids:
            cluster.shared_memory_ids = [*cluster.shared_memory_ids[-9:], segment]

    def _look_after_service(self) -> None:
        service = self.lab.service
        if service.process is not None and processes.is_alive(service.process):
            if service.state != "running" and _listens(service.port):
                service.state = "running"
            return
        if service.process is not None:
            log.info("order service: pid %d is dead", service.process.pid)
            pg_server.reap(service.process)
            service.process, service.state = None, "down"
        if clock.monotonic_ns() < self._next_start_ns.get("", 0):
            return
        self._next_start_ns[""] = _after(RETRY_SECONDS)
        argv = [sys.executable, "-m", "drillmark.lab.service", self.lab.directory]
        service.process = postgres.spawn(
            argv,
            environment={**postgres.clean_environment(), **self.lab.environment},
            log=self.lab.layout.logs / "service.log",
        )
        service.state = "starting"
        service.starts += 1
        log.info("started the order service as pid %d", service.process.pid)

    def _judge(self) -> None:
        wrong = [
            f"cluster {cluster.name} is {cluster.state}{' and held' if cluster.held else ''}"
            for cluster in self.lab.clusters.values()
            if not cluster.retired and (cluster.state != "ready" or cluster.held)
        ]
        if self.lab.service.state != "running":
            wrong.append(f"the order service is {self.lab.service.state}")
        if not self.lab.last_backup:
            wrong.append(self.lab.last_backup_error or "there is no base backup yet")
        self.lab.state, self.lab.detail = ("degraded", "; ".join(wrong)) if wrong else ("up", "")


def _after(seconds: float) -> int:
    return clock.monotonic_ns() + round(seconds * 1e9)


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.2)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True
