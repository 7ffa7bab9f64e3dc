"""Whether a simulated disaster was restored from the source as it was frozen at t0, and from nothing later.

Log that is archived after a real disaster would not exist. Must never take a restore's silence for its word, nor the
absence of later writes for a proof: log archived after t0 also holds what was written before it.
"""

from __future__ import annotations

from drillmark.measure.data import positions
from drillmark.measure.timeline.facts import Facts
from drillmark.model.entry import Effect
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Check, Cited


def judge(facts: Facts, evidence: Evidence) -> Check:
    """What the restore says that it used, and what log positions say of it."""
    if not facts.plan.simulated or not facts.injected:
        return Check(None, "the disaster is not simulated, or was not declared", applicable=False)
    cited = Cited(entries=facts.cite(Effect.INJECT, Effect.RECOVER))
    met, reason = _compared(facts, evidence)
    return Check(met, reason, cited)


def _compared(facts: Facts, evidence: Evidence) -> tuple[bool | None, str]:
    if not facts.source_sha256:
        return None, "the journal holds no hash of what was in the backup store at t0"
    later = positions.used_later_log(facts, evidence)
    if later:
        return False, "log from after the disaster was used to restore"
    used = str((facts.report.values if facts.report else {}).get("source_sha256") or "")
    if not used:
        return None, "the restore does not say which listing of the store it used"
    if used != facts.source_sha256:
        return False, "the restore used another listing of the backup store"
    # The hash is the restore's own word. What was to be held against it must be there.
    if later is None:
        return None, "positions.dms does not tell what was restored: it is missing, not whole, or of another store"
    return True, ""
