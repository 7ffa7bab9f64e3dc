"""What the supervisor does at each tick and at each request. One lock guards the state of the lab.

Nothing is waited for under the lock: a server that recovers for minutes blocks no request. Must write
`lab.json` before it answers a request that changed it.
"""

from __future__ import annotations

import http.client
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from drillmark import clock, postgres, processes
from drillmark.errors import LabError
from drillmark.lab import backups, create, state
from drillmark.lab.control import ControlError
from drillmark.lab.control_server import Handler
from drillmark.lab.state import Cluster, LabState
from drillmark.postgres import cluster as pg_cluster
from drillmark.postgres import server as pg_server

RETRY_SECONDS = 0.3
BACKUP_RETRY_SECONDS = 10.0
log = logging.getLogger("drillmark.lab.keeper")


class Keeper:
    """Holds the lab's state and keeps the lab in that state."""

    def __init__(self, lab: LabState) -> None:
        self.lab = lab
        self._lock = threading.RLock()
        self._backup_lock = threading.Lock()
        self._backup_thread: threading.Thread | None = None
        self._next_backup_ns = 0
        self._next_start_ns: dict[str, int] = {}

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What the control socket offers."""
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

    def begin(self) -> None:
        """Take the lab over: adopt what lives, and make the service file agree with `lab.json`."""
        with self._lock:
            layout = self.lab.layout
            for cluster in self.lab.clusters.values():
                if cluster.process is None or not processes.is_alive(cluster.process):
                    cluster.process = postgres.postmaster(cluster.path)
            create.point_service_file(layout, self.lab.clusters[self.lab.primary].port)
            kept = backups.names(layout)
            self.lab.last_backup = kept[-1] if kept else ""
            if kept:
                self._next_backup_ns = _after(self.lab.backup_every_seconds)
            self._save()

    def end(self) -> None:
        """Stop everything that the supervisor supervises, cleanly."""
        with self._lock:
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
            self._save()

    def tick(self) -> None:
        """Look at everything once; start what is down and should not be."""
        with self._lock:
            before = self.lab.as_json()
            for cluster in self.lab.clusters.values():
                self._look_after_cluster(cluster)
            self._look_after_service()
            self._judge()
            if self.lab.as_json() != before:
                self._save()
            primary = self.lab.clusters[self.lab.primary]
            idle = self._backup_thread is None or not self._backup_thread.is_alive()
            due = clock.monotonic_ns() >= self._next_backup_ns
        if due and idle and primary.state == "ready":
            self._backup_thread = threading.Thread(target=self._scheduled_backup, name="backup", daemon=True)
            self._backup_thread.start()

    def status(self) -> dict[str, Any]:
        """The lab as of now."""
        with self._lock:
            for cluster in self.lab.clusters.values():
                self._observe(cluster)
            self._judge()
            return self.lab.as_json()

    def hold(self, name: str) -> dict[str, Any]:
        """Never start that cluster again until it is released. A running one goes on running."""
        with self._lock:
            cluster = self._cluster(name)
            cluster.held = True
            return self._changed(f"held {name}")

    def release(self, name: str) -> dict[str, Any]:
        """Supervise that cluster again, and start it at once if it is down and still has its place."""
        with self._lock:
            cluster = self._cluster(name)
            cluster.held = False
            self._next_start_ns.pop(name, None)
            self._look_after_cluster(cluster)
            return self._changed(f"released {name}")

    def adopt(self, name: str, data_directory: Path, port: int) -> dict[str, Any]:
        """Supervise a running cluster that somebody else started, and take a base backup of it when it serves."""
        process = postgres.postmaster(data_directory)
        if process is None:
            raise ControlError(f"no server runs in {data_directory}", hint="Start it before it is adopted.")
        with self._lock:
            known = self.lab.clusters.get(name)
            if known is not None and known.data_directory != str(data_directory):
                raise ControlError(f"there is a cluster {name} already, in {known.data_directory}")
            if known is None:
                known = Cluster(name, str(data_directory), port)
                self.lab.clusters[name] = known
            known.port, known.process, known.held, known.retired = port, process, False, False
            self._observe(known)
            return self._changed(f"adopted {name}")

    def switch(self, name: str) -> dict[str, Any]:
        """Let the service file lead to that cluster, and tell the order service. Other clusters retire."""
        with self._lock:
            target = self._cluster(name)
            self._observe(target)
            if target.process is None:
                raise ControlError(f"cluster {name} does not run: nothing was switched")
            self.lab.primary = name
            for cluster in self.lab.clusters.values():
                cluster.retired = cluster.name != name
            # Written first: a supervisor that comes after a crash makes the service file agree with it.
            answer = self._changed(f"switched to {name}")
            create.point_service_file(self.lab.layout, target.port)
            self._next_backup_ns = 0
            port = self.lab.service.port
        answer["service_reconnected"] = _tell_service(port)
        return answer

    def backup(self) -> dict[str, Any]:
        """Take a base backup now, and wait for it."""
        taken = self._take_backup()
        return {"name": taken.name, "size_bytes": taken.size_bytes, "seconds": taken.seconds}

    def _scheduled_backup(self) -> None:
        try:
            self._take_backup()
        except LabError as error:
            log.warning("backup failed: %s", error)

    def _take_backup(self) -> backups.Backup:
        with self._backup_lock:
            with self._lock:
                primary = self.lab.clusters[self.lab.primary]
                layout = self.lab.layout
                self._next_backup_ns = _after(BACKUP_RETRY_SECONDS)
            try:
                taken = backups.take(layout, primary)
                backups.retain(layout)
            except (LabError, OSError) as error:
                with self._lock:
                    self.lab.last_backup_error = str(error)
                    self._next_backup_ns = _after(BACKUP_RETRY_SECONDS)
                    self._save()
                raise LabError(f"no base backup: {error}", code="backup-failed") from error
            with self._lock:
                self.lab.last_backup, self.lab.last_backup_error = taken.name, ""
                self._next_backup_ns = _after(self.lab.backup_every_seconds)
                self._forget_old_clusters()
                self._judge()
                self._save()
            log.info("backup %s: %d bytes in %.1f s", taken.name, taken.size_bytes, taken.seconds)
            return taken

    def _forget_old_clusters(self) -> None:
        # While anything is held a fault is in effect, and its undo may need what lies aside.
        if any(cluster.held for cluster in self.lab.clusters.values()):
            return
        retired = [cluster for cluster in self.lab.clusters.values() if cluster.retired]
        for cluster in retired[: -backups.KEEP_OLD_CLUSTERS]:
            postgres.stop(cluster.path, "immediate", timeout_seconds=5)
        in_use = {c.path.resolve() for c in self.lab.clusters.values() if not c.retired}
        gone = backups.retain_clusters(self.lab.layout, in_use)
        for cluster in retired:
            if cluster.path in gone:
                del self.lab.clusters[cluster.name]

    def _look_after_cluster(self, cluster: Cluster) -> None:
        self._observe(cluster)
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

    def _observe(self, cluster: Cluster) -> None:
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
            environment={**os.environ, **self.lab.environment},
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

    def _cluster(self, name: str) -> Cluster:
        try:
            return self.lab.clusters[name]
        except KeyError:
            known = ", ".join(self.lab.clusters)
            raise ControlError(f"no cluster {name} in this lab", hint=f"There is: {known}.") from None

    def _changed(self, what: str) -> dict[str, Any]:
        self._judge()
        self._save()
        log.info("%s", what)
        return self.lab.as_json()

    def _save(self) -> None:
        state.write(self.lab)


def _name(body: dict[str, Any]) -> str:
    return str(body["cluster"])


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


def _tell_service(port: int) -> bool:
    # A service that is down will read the service file when it starts.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("POST", "/admin/reconnect")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
