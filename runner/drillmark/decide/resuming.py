"""What a crash leaves to be done again: which steps of the journal count no more, and whether a run begins anew. Pure.

The engine journals what is said here when it takes a run up, before it asks `decide`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.plan import Plan

# What begins anew where nothing had been injected yet.
BEFORE_THE_FAULT = (
    Effect.PREFLIGHT, Effect.GUARD, Effect.OBSERVERS, Effect.LOAD, Effect.PREPARE, Effect.BASELINE, Effect.SIDE,
)  # fmt: skip
FORGOTTEN = "the journal has lost that the fault began"


@dataclass(frozen=True, slots=True)
class Voided:
    """An event to be journalled: these effects count as not done."""

    what: str
    effects: tuple[Effect, ...]


def begins_anew(entries: Sequence[Entry], *, began: bool) -> bool:
    """Whether nothing was injected. `began`: whether the event log shows that the method began."""
    return last(entries, Effect.INJECT) is None and not began


def has_forgotten(entries: Sequence[Entry], *, began: bool) -> bool:
    """Whether the journal, torn off, does not know of a fault that began: it is undone, and never begun again."""
    return last(entries, Effect.INJECT) is None and began


def done_again(plan: Plan, entries: Sequence[Entry], *, in_undo_file: bool) -> Iterator[Voided]:
    """Verifications are all made again, if the run had not gone on from them; so is a proof that U does not know."""
    after_verify = Effect.SOAK if plan.recovers else Effect.READ_BACK
    verified = any(entry.effect is Effect.VERIFY for entry in entries)
    if verified and last(entries, after_verify) is None:
        yield Voided("verified_anew", (Effect.VERIFY,))
    proved = last(entries, Effect.PROVE_UNDONE)
    if in_undo_file and proved is not None and proved.status not in ("", Status.FAILED):
        yield Voided("undone_still_in_undo_file", (Effect.PROVE_UNDONE,))


def guard_has_acted(entries: Sequence[Entry]) -> bool:
    """Whether the guard's log, imported, shows that it began to undo."""
    return any(entry.kind is Kind.GUARD and entry.data.get("what") == "acting" for entry in entries)


def guard_has_undone(entries: Sequence[Entry]) -> bool:
    """Whether it also came to the end of it: a guard that was killed, or failed, leaves the undo to us."""
    return any(entry.kind is Kind.GUARD and entry.data.get("what") == "undone" for entry in entries)
