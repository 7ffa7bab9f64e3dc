"""A run in the engine's hands: its journal, epoch, undo file and lock. Every effect goes through here.

The order is always: undo file, intent, epoch check under the run's shared lock, effect, outcome. If undo file or
journal cannot be written, the error goes up and no new effect begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from drillmark import clock, files, undo
from drillmark.engine.locks import FileLock
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.view import View
from drillmark.errors import JournalError, StaleEpochError
from drillmark.journal.entries import canonical
from drillmark.journal.opening import open_store
from drillmark.journal.port import Store
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.plan import Plan
from drillmark.model.stamp import Stamp
from drillmark.undo import Child, UndoState

FAULT_BEGIN = "drillmark_fault_begin"
FAULT_POSITION = "drillmark_fault_position"
ALERTS_URL = "drillmark_alerts_url"
SOURCE = "drillmark_source"


@dataclass(slots=True)
class Context:
    """One run, while this process drives it.

    Attributes:
        epoch: this runner's; effects and appends stop once it is not the file's any more.
        deadline_ns: monotonic; when the run must be over, and when observers end by themselves.
        variables: what activities may use as `${drillmark_...}`.
        stored: how many entries were there before this runner, and the digest of what was read of them.
    """

    run: str
    plan: Plan
    workspace: WorkspacePaths
    paths: RunPaths
    store: Store
    lock: FileLock
    view: View
    epoch: int
    deadline_ns: int
    undo_state: UndoState
    entries: list[Entry] = field(default_factory=list[Entry])
    variables: dict[str, str] = field(default_factory=dict[str, str])
    sentence: str = ""
    stored: tuple[int, str] = (0, "")

    def journal(self, kind: Kind, data: dict[str, Any], *, sentence: str = "") -> Entry:
        """Append an entry. Raises JournalError or StaleEpochError, with nothing appended."""
        stamp = clock.now()
        try:
            entry = self.store.append(
                self.entries[-1] if self.entries else None,
                run=self.run,
                epoch=self.epoch,
                kind=kind,
                stamp=stamp,
                data=data,
            )
        except JournalError:
            self.set_aside(kind, stamp, data)
            raise
        self.entries.append(entry)
        self.view.entry(entry, sentence)
        return entry

    def set_aside(self, kind: Kind, stamp: Stamp, data: dict[str, Any]) -> None:
        """Keep what the journal could not take, for `resume` to hand in. Never raises: the undo matters more."""
        body = {"kind": kind, "epoch": self.epoch, "stamp": stamp.as_json(), "data": data}
        with suppress(OSError, TypeError, ValueError):
            files.append_line_durably(self.paths.unsent, canonical(body))

    def intent(self, effect: Effect, key: str, attempt: int, **more: Any) -> Entry:
        """Journal that an effect is about to be performed."""
        return self.journal(
            Kind.INTENT, {"effect": effect, "key": key, "attempt": attempt} | more, sentence=self.sentence
        )

    def outcome(
        self,
        effect: Effect,
        key: str,
        attempt: int,
        status: str,
        *,
        started: Stamp | None = None,
        ended: Stamp | None = None,
        **more: Any,
    ) -> Entry:
        """Journal how an effect ended. `ended` is when it did, which may be before now."""
        data = {
            "effect": effect,
            "key": key,
            "attempt": attempt,
            "status": status,
            "error": "",
            "started": started.as_json() if started else None,
            "ended": ended.as_json() if ended else None,
        }
        return self.journal(Kind.OUTCOME, data | more)

    def event(self, what: str, **more: Any) -> Entry:
        """Journal something seen."""
        return self.journal(Kind.EVENT, {"what": what} | more, sentence=what.replace("_", " "))

    def check_epoch(self) -> None:
        """Raises StaleEpochError where somebody else has taken the run over."""
        if undo.read_epoch(self.paths.epoch) != self.epoch:
            raise StaleEpochError(
                f"run {self.run} was taken over by another runner or by its guard",
                hint="this runner touches nothing any more; `drillmark resume` measures what was recorded",
            )

    def check_journal(self) -> None:
        """Raises JournalError where the journal on disk is not what this runner knows: nothing may be judged by it."""
        count, digest = self.stored[0], hashlib.sha256()
        store = open_store(self.workspace)  # a connection of its own, without what the other has in memory
        try:
            if count:
                store.take_in(self.run, count, digest)
            ours = store.read(self.run, after=count)
        finally:
            store.close()
        as_it_was = not count or digest.hexdigest() == self.stored[1]
        if not as_it_was or list(ours) != self.entries[count:]:
            told = (
                f"{len(ours) + count} of {len(self.entries)} entries" if as_it_was else "earlier entries were changed"
            )
            raise JournalError(
                f"the journal of run {self.run} is not as it was written: {told}",
                hint="it was changed or damaged while the drill ran; keep the run's folder, and report it",
            )

    @contextmanager
    def performing(self) -> Generator[None]:
        """While an effect on the target begins and ends: the run's lock is held and the epoch is ours."""
        self.check_epoch()
        with self.lock.shared():
            self.check_epoch()
            yield

    def write_undo(self, state: UndoState) -> None:
        """Replace the undo file, and its copy for other machines where an experiment is added or taken away.

        Raises UndoFileError with the old one in place, and JournalError or StaleEpochError where the copy could not
        be kept: in either case no effect may begin.
        """
        undo.write(self.paths.undo, state)
        before, self.undo_state = self.undo_state, state
        if before.undoables != state.undoables:
            self.copy_undo()

    def copy_undo(self) -> None:
        """Keep a copy of the undo file where other machines find it."""
        self.store.keep_undo(self.run, self.epoch, undo.to_text(self.undo_state))

    def own(self, child: Child) -> None:
        """Write a child's pid into U, if it is not there. Only then may it be told to go."""
        if self.undo_state.child(child.role) != child:
            self.write_undo(self.undo_state.with_child(child))
