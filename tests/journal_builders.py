"""A run and its entries, for tests of journal stores."""

from __future__ import annotations

from builders import RUN
from drillmark import clock
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind

ROW = RunRow(RUN, "drill", "target", "reports/runs/x", 1, 100)


def append(store, previous, epoch=1, run=RUN, **data):
    """Append an event with these data."""
    return store.append(previous, run=run, epoch=epoch, kind=Kind.EVENT, stamp=clock.now(), data=data)
