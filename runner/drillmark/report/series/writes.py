"""The marker writes in bins, by what became of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drillmark.measure.data import counting
from drillmark.measure.data.counting import Sets
from drillmark.measure.data.writes import NEVER, read_ledger
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, UnmeasurableError
from drillmark.model.evidence import Evidence, Written
from drillmark.model.planned import PlannedMarkers
from drillmark.report.series.grid import Grid

FATES = ("survived", "lost", "holes", "unproved", "indeterminate")
Counts = dict[str, NDArray[np.int64]]


def rows(facts: Facts, evidence: Evidence, grid: Grid) -> tuple[list[dict[str, Any]], str]:
    """A row for each bin, of all marker writers together, and why the fate of some is not known.

    Acknowledged writes stand where they were acknowledged, indeterminate ones where they were sent.
    """
    total: Counts = {fate: np.zeros(grid.count, dtype=np.int64) for fate in FATES}
    why = ""
    for writer in evidence.plan.markers:
        written = evidence.written.get(writer.name, Written())
        try:
            _, sets = counting.count(facts, writer, written)
            found = _fates(sets, grid)
        except (UnmeasurableError, InapplicableError) as error:
            why = str(error)
            found = _acknowledged(facts, writer, written, grid)
        for fate, counts in found.items():
            total[fate] += counts
    names = list(total)
    table = zip(grid.times(), *(total[name].tolist() for name in names), strict=True)
    return [{"t": at} | dict(zip(names, counts, strict=True)) for at, *counts in table], why


def _fates(sets: Sets, grid: Grid) -> Counts:
    ledger = sets.ledger
    acked = ledger.acknowledged != NEVER
    sent = ledger.invoked != NEVER
    newest = int(np.max(ledger.invoked, where=sets.old & sets.back, initial=-NEVER))
    holes = sets.lost & (ledger.acknowledged < newest)
    lost = sets.lost & ~holes
    doubtful = sets.doubtful & ~sets.lost
    masks = {
        "survived": acked & ~sets.lost & ~doubtful,
        "lost": lost,
        "holes": holes,
        "unproved": doubtful,
    }
    counted = {fate: grid.counts(ledger.acknowledged[mask] - sets.zero) for fate, mask in masks.items()}
    unsure = sent & ~acked & ~ledger.failed
    return counted | {"indeterminate": grid.counts(ledger.invoked[unsure] - sets.zero)}


def _acknowledged(facts: Facts, writer: PlannedMarkers, written: Written, grid: Grid) -> Counts:
    """What was acknowledged, where it is not known what came back."""
    if written.ledger is None:
        return {}
    ledger = read_ledger(written.ledger)
    zero = facts.frame.zero_of(written.ledger, f"{writer.ledger}.dms")
    acked = ledger.acknowledged != NEVER
    return {"unproved": grid.counts(ledger.acknowledged[acked] - zero)}
