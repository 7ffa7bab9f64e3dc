"""Whether what was read back can be held against what was written: the right store, read to its end.

Must never let a store that nobody identified, or a reading that did not end, count as evidence.
"""

from __future__ import annotations

from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, UnmeasurableError
from drillmark.model.entry import Status
from drillmark.model.evidence import Evidence, Table


def require(evidence: Evidence, facts: Facts) -> None:
    """Raise where the writes cannot be judged."""
    plan = facts.plan
    if plan.markers is None:
        if plan.objectives.rpo_stated:
            raise UnmeasurableError("the target has no markers")
        raise InapplicableError("the target has no markers")
    if not facts.injected:
        raise UnmeasurableError("fault not injected")
    survivors = evidence.survivors
    if facts.read_back.status != Status.SUCCEEDED or survivors is None:
        error = str(facts.read_back.data.get("error", ""))
        raise UnmeasurableError("nothing was read back" + (f": {error}" if error else ""))
    if not survivors.closed:
        raise UnmeasurableError("survivors.dms is not whole: the reading did not end")
    for name, table in (("survivors.dms", survivors), ("ledger.dms", evidence.ledger)):
        rows = facts.rows.get(name)
        if table is not None and rows is not None and len(table) < rows:
            raise UnmeasurableError(f"{name} holds {len(table)} rows, the journal says {rows}")
    identify(evidence.ledger, survivors)


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


def ledger_state(evidence: Evidence, facts: Facts) -> tuple[bool, bool]:
    """Whether every row that was written is here, and whether the writer lived until it was told to stop."""
    ledger = evidence.ledger
    assert ledger is not None
    rows = facts.rows.get("ledger.dms")
    whole = ledger.closed or (rows is not None and len(ledger) >= rows)
    return whole, ledger.closed and not facts.markers_died
