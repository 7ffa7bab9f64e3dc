"""What tests look at in a run that was measured, and how they change its journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drillmark.model.entry import Effect, Kind
from drillmark.model.measurement import Measured
from rig.journal import Journal
from rig.plain import Run


def lo_hi(measured: Measured) -> tuple[float, float | None]:
    assert measured.seconds is not None, measured.reason
    hi = measured.seconds.hi
    return round(measured.seconds.lo, 3), None if hi is None else round(hi, 3)


def terms(run: Run) -> tuple[Any, ...]:
    found = run.measured.rta.cited.terms
    return tuple(None if found[name] is None else round(found[name], 3) for name in "abcd")


def drop(journal: Journal, effect: Effect, kind: Kind | None = None, key: str | None = None) -> None:
    journal.entries = [
        entry
        for entry in journal.entries
        if not (entry.effect is effect and kind in (None, entry.kind) and key in (None, entry.key))
    ]


def changed(journal: Journal, effect: Effect, kind: Kind, **data: Any) -> None:
    journal.entries = [
        replace(entry, data=entry.data | data) if entry.effect is effect and entry.kind is kind else entry
        for entry in journal.entries
    ]


def insert(journal: Journal, at: float, kind: Kind, **data: Any) -> None:
    """An entry in its place by time."""
    journal.add(kind, at, **data)
    journal.entries.sort(key=lambda entry: entry.stamp.monotonic_ns)
    journal.entries = [replace(entry, sequence=number) for number, entry in enumerate(journal.entries, 1)]


def mono(at: float) -> int:
    return Journal().at(at).monotonic_ns
