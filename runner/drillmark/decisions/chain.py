"""The chain `@decisions`: append-only, hash-chained, in the same store as the journals of runs, and among no runs.

Several people decide at once: an append that came second is tried again behind the other. Must never change or take
away an entry; what is withdrawn is withdrawn by a further one.
"""

from __future__ import annotations

from typing import Any

from drillmark import clock
from drillmark.errors import JournalError, StaleEpochError
from drillmark.journal import entries
from drillmark.journal.port import Store
from drillmark.model.entry import Entry, Kind

CHAIN = "@decisions"
EPOCH = 1
DECIDED = frozenset(
    {
        Kind.APPROVAL, Kind.APPROVAL_WITHDRAWN, Kind.STOP, Kind.STOP_LIFTED,
        Kind.PAUSE, Kind.UNPAUSE, Kind.TRIGGER,
    }
)  # fmt: skip
_ATTEMPTS = 50


def read(store: Store) -> tuple[Entry, ...]:
    """Every decision, oldest first. Raises JournalError where the chain cannot be read or is not as it was written."""
    found = store.read(CHAIN)
    broken = entries.first_break(found)
    if broken:
        raise JournalError(
            f"the decisions of this workspace are not as they were written: {broken}",
            hint="nothing is approved until that is cleared up: compare the journal with a backup of it",
        )
    return found


def append(store: Store, kind: Kind, data: dict[str, Any]) -> Entry:
    """Append a decision. Raises JournalError where it could not be written, or the chain is damaged."""
    if kind not in DECIDED:
        raise ValueError(f"{kind} is no decision")
    store.begin_chain(CHAIN)
    for _ in range(_ATTEMPTS):
        before = read(store)
        try:
            return store.append(
                before[-1] if before else None, run=CHAIN, epoch=EPOCH, kind=kind, stamp=clock.now(), data=data
            )
        except StaleEpochError:
            continue  # somebody else decided something in between
    raise JournalError("the decision could not be written: others decide all the time", hint="try again")
