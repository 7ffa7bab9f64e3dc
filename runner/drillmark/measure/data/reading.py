"""Whether what was read back can be held against what was written: the right store, read to its end.

Must never let a store that nobody identified, or a reading that did not end, count as evidence.
"""

from __future__ import annotations

from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, UnmeasurableError
from drillmark.model.entry import Status
from drillmark.model.evidence import Table, Written
from drillmark.model.plan import Plan
from drillmark.model.planned import PlannedMarkers


def require_markers(plan: Plan) -> None:
    """Raise where no marker was to be written."""
    if not plan.markers:
        if plan.objectives.rpo_stated:
            raise UnmeasurableError("the target has no markers")
        raise InapplicableError("the target has no markers")


def require(facts: Facts, writer: PlannedMarkers, written: Written) -> None:
    """Raise where a writer's writes cannot be judged."""
    if not facts.injected:
        raise UnmeasurableError(facts.not_injected)
    survivors = written.survivors
    if not _was_read(facts, writer) or survivors is None:
        data = facts.read_back.data
        error = str(data.get("unread", {}).get(writer.name) or data.get("error") or "")
        raise UnmeasurableError("nothing was read back" + (f": {error}" if error else ""))
    if not survivors.closed:
        raise UnmeasurableError(f"{writer.survivors}.dms is not whole: the reading did not end")
    for name, table in ((writer.survivors, survivors), (writer.ledger, written.ledger)):
        rows = facts.rows.get(f"{name}.dms")
        if table is not None and rows is not None and len(table) < rows:
            raise UnmeasurableError(f"{name}.dms holds {len(table)} rows, the journal says {rows}")
    identify(written.ledger, survivors)


def _was_read(facts: Facts, writer: PlannedMarkers) -> bool:
    """Whether this writer's reading ended well; where another's did not, that is no matter."""
    ran = facts.read_back
    unread = ran.data.get("unread")
    return ran.status == Status.SUCCEEDED or bool(unread and writer.name not in unread)


def identify(ledger: Table | None, survivors: Table) -> None:
    """Raise UnmeasurableError unless it is the store that was written to."""
    identity = survivors.meta.get("identity")
    if identity == "same":
        return
    if identity == "other":
        raise UnmeasurableError("the wrong store answered: it is not the one that was written to")
    wrote, read = (None if table is None else table.meta.get("system_identifier") for table in (ledger, survivors))
    if not wrote or not read:
        raise UnmeasurableError("it is not known whether the store that answered is the one that was written to")
    if str(wrote) != str(read):
        raise UnmeasurableError("the wrong store answered: its system identifier is another")


def ledger_state(facts: Facts, writer: PlannedMarkers, ledger: Table) -> tuple[bool, bool]:
    """Whether every row that was written is here, and whether the writer lived until it was told to stop."""
    rows = facts.rows.get(f"{writer.ledger}.dms")
    whole = ledger.closed or (rows is not None and len(ledger) >= rows)
    return whole, ledger.closed and writer.name not in facts.markers_died
