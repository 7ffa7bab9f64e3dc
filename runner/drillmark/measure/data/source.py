"""Whether a simulated disaster was restored from the source as it was frozen at t0, and from nothing later.

Log that is archived after a real disaster would not exist. Must never take a restore's silence for its word.
"""

from __future__ import annotations

from drillmark.measure.data import positions
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, UnmeasurableError
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Check, Cited, Writes


def judge(facts: Facts, evidence: Evidence, writes: Writes | None) -> Check:
    """What the restore says that it used, and what log positions and marker writes say of it."""
    if not facts.plan.simulated or not facts.injected:
        return Check(None, "the disaster is not simulated, or was not declared", applicable=False)
    cited = Cited(entries=facts.cite(Effect.INJECT, Effect.RECOVER))
    met, reason = _compared(facts, evidence, writes)
    return Check(met, reason, cited)


def _compared(facts: Facts, evidence: Evidence, writes: Writes | None) -> tuple[bool | None, str]:
    if not facts.source_sha256:
        return None, "the journal holds no hash of what was in the backup store at t0"
    if _later_log(facts, evidence):
        return False, "log from after the disaster was used to restore"
    used = str((facts.report.values if facts.report else {}).get("source_sha256") or "")
    if used:
        another = "the restore used another listing of the backup store"
        return used == facts.source_sha256, "" if used == facts.source_sha256 else another
    # Production went on to acknowledge writes, and none of them is in the copy: that shows it as well.
    shown = writes is not None and writes.acknowledged_after > 0 and not writes.unexpected
    return True if shown else None, "" if shown else "the restore does not say which listing of the store it used"


def _later_log(facts: Facts, evidence: Evidence) -> bool:
    try:
        return positions.used_later_log(facts, evidence)
    except (UnmeasurableError, InapplicableError):
        return False  # not seen that way; the hashes and the markers are looked at all the same
