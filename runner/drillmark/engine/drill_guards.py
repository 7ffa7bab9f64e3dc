"""What the runner makes of a drill's own guards: it journals what their watcher saw, and does not trust its silence.

The watcher asks for the abort itself, by the run's abort file. Here only what it cannot say is found: that it hangs,
and, before the fault, that a guard fails although it may go on failing for a while yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drillmark import clock, files
from drillmark.engine.context import Context
from drillmark.model.entry import Kind
from drillmark.model.stamp import NANOSECONDS

SILENT_SECONDS = 15.0
# A guard that comes and goes may do so a thousand times; the journal tells the first of them, and each abort.
_MOST_CHANGES = 100
_EVENTS = {"failing": "guard_failing", "good": "guard_good_again", "tripped": "guard_failed"}


@dataclass(slots=True)
class DrillGuards:
    """Reads after the watcher of one run."""

    context: Context
    _size: int = -1
    _taken: int = -1
    _since_ns: int = field(default_factory=clock.monotonic_ns)

    def journal_changes(self) -> None:
        """Journal what the watcher wrote since the last look."""
        path = self.context.paths.watch_log
        try:
            size = path.stat().st_size
        except OSError:
            return
        if size == self._size:
            return
        self._size = size
        lines = files.read_json_lines(path)
        if self._taken < 0:
            # A runner before this one may have journalled some.
            self._taken = sum(
                entry.kind is Kind.EVENT and entry.data.get("what") in _EVENTS.values()
                for entry in self.context.entries
            )
        for number, line in enumerate(lines[self._taken :], self._taken):
            what = _EVENTS.get(str(line.get("what")), "guard_failing")
            if number < _MOST_CHANGES or what == "guard_failed":
                guard, error = str(line.get("guard", "")), str(line.get("error", ""))
                self.context.event(
                    what, guard=guard, reason=f"{guard}: {error}" if error else guard, seen=line.get("stamp")
                )
        self._taken = max(self._taken, len(lines))

    def silence(self, now_ns: int) -> str:
        """Why the watcher's silence must end the run; empty where it spoke not long ago."""
        seen = self._seen()
        heard_ns = int(seen["at_ns"]) if seen and seen.get("boot") == clock.boot_id() else self._since_ns
        silent_seconds = (now_ns - max(heard_ns, self._since_ns)) / NANOSECONDS
        if silent_seconds <= SILENT_SECONDS:
            return ""
        return f"its guards are not watched: their watcher has said nothing for {silent_seconds:.0f} s"

    def failing(self) -> str:
        """Which guard fails at this moment, and why; empty where none does."""
        seen = self._seen()
        if seen is None:
            return "its guards are not watched: their watcher has said nothing"
        for guard in seen.get("guards", []):
            if guard.get("failing_ns") is not None:
                return f"guard {guard.get('name')} fails before anything was injected: {guard.get('error')}"
        return ""

    def _seen(self) -> dict[str, Any] | None:
        return files.read_json(self.context.paths.child("guards", "seen.json"))
