"""Moments that performers look up in the journal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from drillmark.journal.entries import last
from drillmark.model.entry import Effect, Entry
from drillmark.model.stamp import Stamp


def ended(entries: Sequence[Entry], effect: Effect) -> Stamp | None:
    """When the last attempt at an effect really ended, as its outcome says."""
    found = last(entries, effect)
    if found is None or found.outcome is None:
        return None
    stamp = found.outcome.data.get("ended")
    return Stamp.from_json(stamp) if stamp else found.outcome.stamp


def fault_began(entries: Sequence[Entry]) -> Stamp | None:
    """I: the journal entry of the intent of the experiment's first action."""
    found = last(entries, Effect.INJECT)
    return None if found is None else found.intent.stamp


def effect_began_ns(entries: Sequence[Entry]) -> int | None:
    """e, monotonic nanoseconds, as far as it is known: when the effect was proved."""
    stamp = ended(entries, Effect.PROVE_EFFECT)
    found = last(entries, Effect.INJECT)
    if stamp is None and found is not None and found.intent.data.get("simulated"):
        # Nothing had to take effect: the declaration is the disaster.
        stamp = found.intent.stamp
    return None if stamp is None else stamp.monotonic_ns
