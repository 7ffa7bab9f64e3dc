"""When the guard must act: a pure rule over what it sees, and the look that gathers it."""

from __future__ import annotations

from dataclasses import dataclass, field

from drillmark import files
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.model.stamp import NANOSECONDS

# A runner that lives obeys an abort within a tick; past this it is taken to be stuck.
OBEY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What the guard saw. Times are monotonic nanoseconds."""

    now_ns: int
    renewed_ns: int  # of the lease; the guard's own start where there is none yet
    abort_since_ns: int | None  # since when an abort is asked for
    something_in_effect: bool
    stopping: bool = False  # the runner says that it is undoing, or winding up after an abort


@dataclass(slots=True)
class Lookout:
    """Looks at lease, abort files and undo file of one run. Unreadable is taken for the worse."""

    paths: RunPaths
    workspace: WorkspacePaths
    boot: str
    started_ns: int
    _abort_seen_ns: dict[str, int] = field(default_factory=dict[str, int])

    def look(self, now_ns: int) -> Watch:
        """What there is to see at this moment."""
        lease = files.read_object(self.paths.lease)
        renewed = lease.get("renewed_ns")
        # A lease from the future would never run out.
        ours = lease.get("boot") == self.boot and type(renewed) is int and renewed <= now_ns
        undo = files.read_json(self.paths.undo)
        return Watch(
            now_ns=now_ns,
            renewed_ns=int(lease["renewed_ns"]) if ours else self.started_ns,
            abort_since_ns=self._abort_since(now_ns),
            something_in_effect=bool(undo.get("undoables")) if isinstance(undo, dict) else self.paths.undo.exists(),
            stopping=bool(lease.get("stopping")),
        )

    def _abort_since(self, now_ns: int) -> int | None:
        """Since when this guard has seen an abort file. File times are wall clock and not used."""
        for path in (self.paths.abort, self.workspace.abort):
            if path.exists():
                return self._abort_seen_ns.setdefault(str(path), now_ns)
            self._abort_seen_ns.pop(str(path), None)
        return None


def reason_to_act(watch: Watch, *, lease_seconds: float, runner_lost: str, deadline_ns: int) -> str:
    """Why the guard must act now; empty if it need not.

    A runner that is stopping keeps its lease fresh: however long its undo takes, nobody does it better.
    """
    silent_seconds = (watch.now_ns - watch.renewed_ns) / NANOSECONDS
    if not watch.stopping or silent_seconds > lease_seconds:
        if watch.now_ns > deadline_ns + round(lease_seconds * NANOSECONDS):
            return "the run's deadline has passed"
        if watch.abort_since_ns is not None and watch.now_ns - watch.abort_since_ns > OBEY_SECONDS * NANOSECONDS:
            return "an abort was asked for and not obeyed"
    if silent_seconds > lease_seconds and not (runner_lost == "hold" and watch.something_in_effect):
        return f"the runner's lease of {lease_seconds:g} s ran out"
    return ""
