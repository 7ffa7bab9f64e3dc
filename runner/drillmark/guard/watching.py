"""When the guard must act: a pure rule over what it sees, and the look that gathers it."""

from __future__ import annotations

from dataclasses import dataclass

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

    @classmethod
    def look(cls, paths: RunPaths, workspace: WorkspacePaths, now_ns: int, boot: str, started_ns: int) -> Watch:
        """Look at lease, abort files and undo file. Unreadable is taken for the worse."""
        lease = files.read_json(paths.lease) or {}
        renewed = int(lease["renewed_ns"]) if lease.get("boot") == boot and "renewed_ns" in lease else started_ns
        undo = files.read_json(paths.undo)
        in_effect = bool(undo.get("undoables")) if isinstance(undo, dict) else paths.undo.exists()
        return cls(now_ns, renewed, _abort_since(paths, workspace, now_ns), in_effect)


_seen: dict[str, int] = {}


def _abort_since(paths: RunPaths, workspace: WorkspacePaths, now_ns: int) -> int | None:
    """Since when this guard has seen an abort file. File times are wall clock and not used."""
    for path in (paths.abort, workspace.abort):
        if path.exists():
            return _seen.setdefault(str(path), now_ns)
        _seen.pop(str(path), None)
    return None


def reason_to_act(watch: Watch, *, lease_seconds: float, runner_lost: str, deadline_ns: int) -> str:
    """Why the guard must act now; empty if it need not."""
    if watch.now_ns > deadline_ns + round(lease_seconds * NANOSECONDS):
        return "the run's deadline has passed"
    if watch.abort_since_ns is not None and watch.now_ns - watch.abort_since_ns > OBEY_SECONDS * NANOSECONDS:
        return "an abort was asked for and not obeyed"
    silent_seconds = (watch.now_ns - watch.renewed_ns) / NANOSECONDS
    if silent_seconds > lease_seconds and not (runner_lost == "hold" and watch.something_in_effect):
        return f"the runner's lease of {lease_seconds:g} s ran out"
    return ""
