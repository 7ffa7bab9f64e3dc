"""What several measurements share: facts, beats, load and limits of one run, or why something is not there."""

from __future__ import annotations

from dataclasses import dataclass, field

from drillmark.measure.service import beats as beats_of
from drillmark.measure.service import limits as limits_of
from drillmark.measure.service import load as load_of
from drillmark.measure.service.beats import Beats
from drillmark.measure.service.limits import Limits
from drillmark.measure.service.load import Load
from drillmark.measure.timeline import facts as facts_of
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, UnmeasurableError
from drillmark.model.evidence import Evidence


@dataclass(slots=True)
class Scene:
    """One run, ready to be measured.

    Attributes:
        beats, load: None where there are none; `*_reason` says why.
        errors: parts that raised what nobody expected.
    """

    evidence: Evidence
    facts: Facts
    beats: Beats | None
    beats_reason: str
    load: Load | None
    load_reason: str
    limits: Limits
    errors: list[str] = field(default_factory=list[str])

    def require_beats(self) -> Beats:
        """The beats. Raises where there are none, or where there were to be none."""
        if self.evidence.plan.probes is None:
            if self.evidence.plan.objectives.rto_stated:
                raise UnmeasurableError("the drill has no probes")
            raise InapplicableError("the drill has no probes")
        if self.beats is None:
            raise UnmeasurableError(self.beats_reason)
        return self.beats


def build(evidence: Evidence, *, live: bool) -> Scene:
    """Everything that measuring shares. `live`: the run goes on, and files are still being written.

    Raises UnmeasurableError where the journal gives no time axis.
    """
    facts = facts_of.gather(evidence)
    errors: list[str] = []
    beats, beats_reason = _beats(evidence, facts, errors, live=live)
    load, load_reason = _load(evidence, facts, errors, live=live)
    baseline = None if facts.baseline_begun is None else (facts.baseline_begun.hi, 0)
    # Before the fault there is no baseline to take a share of yet.
    limits = limits_of.limits_of(evidence.plan, load, baseline if facts.injected else None)
    return Scene(evidence, facts, beats, beats_reason, load, load_reason, limits, errors)


def _beats(evidence: Evidence, facts: Facts, errors: list[str], *, live: bool) -> tuple[Beats | None, str]:
    try:
        return beats_of.read(
            evidence.beats, facts.frame, journalled_rows=None if live else facts.rows.get("beats.dms")
        ), ""
    except UnmeasurableError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 (a measuring part that raises makes its measurement unknown)
        errors.append(f"beats: {error!r}")
        return None, f"the beats could not be read: {error!r}"


def _load(evidence: Evidence, facts: Facts, errors: list[str], *, live: bool) -> tuple[Load | None, str]:
    if evidence.plan.load is None:
        return None, "the drill has no load"
    try:
        whole = None if live else _whole(evidence, facts)
        return load_of.read(evidence.load, evidence.load_users, facts.frame, ended=facts.load_ended, whole=whole), ""
    except UnmeasurableError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 (a measuring part that raises makes its measurement unknown)
        errors.append(f"load: {error!r}")
        return None, f"the load could not be read: {error!r}"


def _whole(evidence: Evidence, facts: Facts) -> bool:
    for name, table in (("load.dms", evidence.load), ("load-users.dms", evidence.load_users)):
        rows = facts.rows.get(name)
        if table is None or (rows is not None and len(table) < rows) or (rows is None and not table.closed):
            return False
    return True
