"""Rounds of probes out of the prober's rows: what was sent in one slot, folded together piece by piece.

An hour at ten beats a second of fifty probes is 1.8 million rows, and 36,000 rounds. Rows of a slot that stand in
several pieces (those in flight where one ends) are put aside and folded together in the end, so that the rounds are
those that all rows at once would give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drillmark.model.evidence import Rows

_COLUMNS = ("beat", "probe", "sent_ns", "received_ns", "ok")
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds by slot and turn; times in ns since I.

    Attributes:
        slot: its number.
        turn: which one of that slot it is: a prober that began anew counts its slots from 0 again.
        size: how many probes were asked.
        good: all of them were answered rightly within the time-out.
        first, last: when the first and the last were sent.
        came: when the last answer, or failure, came.
        latency: of the slowest.
    """

    slot: Numbers
    turn: Numbers
    size: Numbers
    good: NDArray[np.bool_]
    first: Numbers
    last: Numbers
    came: Numbers
    latency: Numbers


def read(rows: Rows, zero_ns: int, timeout_ns: int) -> Rounds:
    """The rounds of a sample file that has rows. `zero_ns` is what to subtract from its stamps."""
    split = _split(rows)
    found: dict[str, list[NDArray[Any]]] = {each.name: [] for each in fields(Rounds)}
    aside: list[dict[str, NDArray[Any]]] = []
    for columns in _pieces(rows):
        apart = np.isin(columns["beat"], split)
        aside.append({name: values[apart] for name, values in columns.items()})
        if not apart.all():
            _add(found, _folded({name: values[~apart] for name, values in columns.items()}, zero_ns, timeout_ns))
    if len(split):
        together = {name: np.concatenate([one[name] for one in aside]) for name in _COLUMNS}
        _add(found, _folded(together, zero_ns, timeout_ns))
    # One column after the other: the parts of each go as it is made.
    merged = {name: np.concatenate(found.pop(name)) for name in list(found)}
    order = np.lexsort((merged["turn"], merged["slot"]))
    return Rounds(**{name: merged.pop(name)[order] for name in list(merged)})


def _add(found: dict[str, list[NDArray[Any]]], more: Rounds) -> None:
    for name, parts in found.items():
        parts.append(getattr(more, name))


def _pieces(rows: Rows, *names: str) -> Iterator[dict[str, NDArray[Any]]]:
    return (rows.piece(number, *(names or _COLUMNS)) for number in range(rows.pieces))


def _split(rows: Rows) -> Numbers:
    """The slots that have rows in more than one piece."""
    slots, pieces = np.unique(
        np.concatenate([np.unique(each["beat"]) for each in _pieces(rows, "beat")]), return_counts=True
    )
    return slots[pieces > 1]


def _folded(columns: dict[str, NDArray[Any]], zero_ns: int, timeout_ns: int) -> Rounds:
    sent = columns["sent_ns"].astype(np.int64) - zero_ns
    received = columns["received_ns"].astype(np.int64) - zero_ns
    ok = (columns["ok"] != 0) & (received - sent <= timeout_ns)
    slot = columns["beat"].astype(np.int64)
    turn = _turns(slot, columns["probe"], sent)
    order = np.lexsort((turn, slot))
    starts = np.flatnonzero(np.concatenate(([True], (np.diff(slot[order]) != 0) | (np.diff(turn[order]) != 0))))
    return Rounds(
        slot=slot[order][starts],
        turn=turn[order][starts],
        size=np.diff(np.append(starts, len(order))),
        good=np.minimum.reduceat(ok[order].astype(np.uint8), starts) == 1,
        first=np.minimum.reduceat(sent[order], starts),
        last=np.maximum.reduceat(sent[order], starts),
        came=np.maximum.reduceat(received[order], starts),
        latency=np.maximum.reduceat((received - sent)[order], starts),
    )


def _turns(beat: Numbers, probe: Numbers, sent: Numbers) -> Numbers:
    order = np.lexsort((sent, probe, beat))
    same = (np.diff(beat[order]) == 0) & (np.diff(probe[order]) == 0)
    turn = np.zeros(len(beat), dtype=np.int64)
    if same.any():
        counter = np.concatenate(([0], np.cumsum(same)))
        group = np.concatenate(([0], np.where(same, 0, counter[1:])))
        turn[order] = counter - np.maximum.accumulate(group)
    return turn
