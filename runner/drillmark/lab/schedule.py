"""When base backups are taken, and what goes when one is there.

One backup at a time. Must never take away an old cluster while a fault may be in effect.
"""

from __future__ import annotations

import logging
import threading

from drillmark import clock
from drillmark.errors import LabError
from drillmark.lab import backups
from drillmark.lab.keeper import Keeper

RETRY_SECONDS = 10.0
log = logging.getLogger("drillmark.lab.schedule")


class Schedule:
    """Takes a base backup of the primary every so often, and at once where there is none."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._one_at_a_time = threading.Lock()
        self._thread: threading.Thread | None = None
        self._next_ns = 0

    def begin(self) -> None:
        """Count from now, if there is a backup already."""
        if self._keeper.lab.last_backup:
            self._again_in(self._keeper.lab.backup_every_seconds)

    def soon(self) -> None:
        """Let the next tick take one."""
        self._next_ns = 0

    def tick(self) -> None:
        """Begin one in a thread, if it is time and the primary serves. Does not wait for it."""
        if clock.monotonic_ns() < self._next_ns or (self._thread is not None and self._thread.is_alive()):
            return
        with self._keeper.lock:
            lab = self._keeper.lab
            ready = lab.clusters[lab.primary].state == "ready"
        if ready:
            self._thread = threading.Thread(target=self._try, name="backup", daemon=True)
            self._thread.start()

    def take(self) -> backups.Backup:
        """Take a backup of the primary now, and let old ones go.

        Raises:
            LabError: there is none; the reason also stands in the lab's state. It is tried again soon.
        """
        keeper = self._keeper
        with self._one_at_a_time:
            with keeper.lock:
                layout, primary = keeper.lab.layout, keeper.lab.clusters[keeper.lab.primary]
            self._again_in(RETRY_SECONDS)
            try:
                taken = backups.take(layout, primary)
                backups.retain(layout)
            except (LabError, OSError) as error:
                self._again_in(RETRY_SECONDS)
                with keeper.lock:
                    keeper.lab.last_backup_error = str(error)
                    keeper.save()
                raise LabError(f"no base backup: {error}", code="backup-failed") from error
            self._again_in(keeper.lab.backup_every_seconds)
            with keeper.lock:
                keeper.lab.last_backup, keeper.lab.last_backup_error = taken.name, ""
                keeper.save()
            log.info("backup %s: %d bytes in %.1f s", taken.name, taken.size_bytes, taken.seconds)
            self._forget_old_clusters()
            return taken

    def _try(self) -> None:
        try:
            self.take()
        except LabError as error:
            log.warning("%s", error)

    def _again_in(self, seconds: float) -> None:
        self._next_ns = clock.monotonic_ns() + round(seconds * 1e9)

    def _forget_old_clusters(self) -> None:
        with self._keeper.lock:
            lab = self._keeper.lab
            # While anything is held a fault is in effect, and its undo may need what lies aside.
            if any(cluster.held for cluster in lab.clusters.values()):
                return
            in_use = {cluster.path.resolve() for cluster in lab.clusters.values() if not cluster.retired}
            doomed = backups.old_clusters(lab.layout, in_use)
            # Forgotten first: nobody can switch to a cluster that is being removed.
            lab.clusters = {name: cluster for name, cluster in lab.clusters.items() if cluster.path not in doomed}
            self._keeper.save()
        for path in doomed:
            backups.remove_cluster(path)
            log.info("removed the old cluster in %s", path)
