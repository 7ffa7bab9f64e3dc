"""Looks for reasons to stop a run: who asks for it, what ran out, and what is gone without which no fault may stay."""

from __future__ import annotations

from pathlib import Path

from drillmark import files, processes
from drillmark.engine.context import Context
from drillmark.engine.decided import Decided
from drillmark.engine.drill_guards import DrillGuards
from drillmark.engine.interruption import Interrupted
from drillmark.engine.live import Tails
from drillmark.model.stamp import NANOSECONDS
from drillmark.undo import DIED, kind_of

_STALLED_NS = int(3.5 * NANOSECONDS)


class Reasons:
    """One look at a time. `watched` holds the roles whose end is an event."""

    def __init__(self, context: Context, tails: Tails) -> None:
        self._context = context
        self._tails = tails
        self.watched: set[str] = set()
        self.guards = DrillGuards(context)
        self._decided = Decided(context)
        self._unwatched = ""

    def look_at_children(self, now: int) -> None:
        """Journal what ended or fell silent without being told to, and what the watcher of guards saw."""
        for role in sorted(self.watched):
            child = self._context.undo_state.child(role)
            if child is not None and not processes.is_alive(child.identity):
                self.watched.discard(role)
                status = files.read_object(self._context.paths.child(role, "json"))
                error = str(status.get("error", ""))[:500]
                name = {"writer": role.partition("-")[2]} if kind_of(role) == "markers" else {}
                self._context.event(DIED[kind_of(role)], error=error, **name)
                if role == "guards":
                    self._unwatched = "its guards are not watched any more: their watcher ended"
                    self._unwatched += f" ({error})" if error else ""
        users_at = self._tails.users_at_ns
        if "load" in self.watched and users_at is not None and now - users_at > _STALLED_NS:
            self.watched.discard("load")
            self._context.event("load_stalled", seconds=(now - users_at) / NANOSECONDS)
        if "guards" in self.watched:
            self.guards.journal_changes()

    def reason_to_stop(self, now: int) -> Interrupted | None:
        """Why the run must stop now, or None."""
        return self._asked_for() or self._decided.reason_to_stop(now) or self._guards_say(now) or self._gone(now)

    def _asked_for(self) -> Interrupted | None:
        paths, workspace = self._context.paths, self._context.workspace
        if paths.abort.exists():
            wanted = files.read_object(paths.abort)
            return Interrupted(str(wanted.get("by", "person")), str(wanted.get("reason", "no reason given")))
        if workspace.abort.exists():
            return Interrupted("kill_switch", _text_of(workspace.abort))
        return None

    def _guards_say(self, now: int) -> Interrupted | None:
        reason = self._unwatched
        if not reason and "guards" in self.watched:
            reason = self.guards.silence(now)
        return Interrupted("guard", reason) if reason else None

    def _gone(self, now: int) -> Interrupted | None:
        if now > self._context.deadline_ns:
            return Interrupted("runner", "it ran out of its time")
        guard = self._context.undo_state.child("guard")
        if guard is not None and self._context.undo_state.undoables and not processes.is_alive(guard.identity):
            self._context.event("guard_gone")
            return Interrupted("runner", "its guard is gone, and without one no fault may stay")
        return None


def _text_of(switch: Path) -> str:
    try:
        reason = switch.read_text(encoding="utf-8", errors="replace").strip()[:500]
    except OSError:
        reason = ""  # a switch that cannot be read is a switch all the same
    return reason or "no reason given"
