"""Brings into the journal what others wrote beside it: the alert receiver, the load, a person's declaration.

They write files of their own, because they may outlive this runner; each line becomes one event, once, whoever
drives the run by then. Must never judge what it brings.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from drillmark import files
from drillmark.engine.context import Context
from drillmark.model.entry import Kind
from drillmark.model.stamp import Stamp

# What each file may tell; a line that tells anything else is none of ours.
_TOLD = {
    "alerts": frozenset({"alert", "alerts_opened", "alerts_away", "alerts_left_out", "alerts_closed"}),
    "load": frozenset({"load_worker_died"}),
}


class Incoming:
    """The files that a run looks at while it goes on."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._files: dict[str, Path] = {
            "alerts": context.paths.alerts,
            "load": context.paths.child("load", "events.jsonl"),
        }
        self._sizes: dict[str, int] = {}

    def look(self) -> None:
        """Journal what is new. Cheap where nothing is. Raises JournalError, StaleEpochError."""
        for source, path in self._files.items():
            size = _size(path)
            if size != self._sizes.get(source, 0):
                self._import(source, path)
                self._sizes[source] = size
        if self._context.paths.declaration.exists() and not self._known("declaration"):
            self._declaration()

    def _import(self, source: str, path: Path) -> None:
        for told in files.read_json_lines(path)[self._known(source) :]:
            what = str(told.get("what", ""))
            if what not in _TOLD[source]:
                what = f"{source}_unclear"
            self._context.event(what, **{key: value for key, value in told.items() if key != "what"}, source=source)

    def _declaration(self) -> None:
        found = files.read_json(self._context.paths.declaration) or {}
        with suppress(KeyError, TypeError, ValueError):
            Stamp.from_json(found["at"])
            self._context.event(
                "declared",
                by=str(found.get("by", "")),
                reason=str(found.get("reason", "")),
                at=found["at"],
                source="declaration",
            )

    def _known(self, source: str) -> int:
        """How many lines of that file stand in the journal. A run that began anew began with a new file."""
        count = 0
        for entry in self._context.entries:
            if entry.kind is Kind.EVENT and entry.data.get("what") == "begun_anew":
                count = 0
            count += entry.kind is Kind.EVENT and entry.data.get("source") == source
        return count


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
