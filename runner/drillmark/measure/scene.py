"""What several measurements share: facts, beats, load and limits of one run, or why something is not there."""

from __future__ import annotations

from dataclasses import dataclass, field

from drillmark.measure.service import beats as beats_of
from drillmark.measure.service import limits as limits_of
from drillmark.measure.service import load as load_of
from drillmark.measure.service import load_parts as parts_of
from drillmark.measure.service.beats import Beats
from drillmark.measure.service.limits import Limits
from drillmark.measure.service.load import Load
from drillmark.measure.timeline import facts as facts_of
from drillmark.measure.timeline.facts import Facts
from drillmark.measure.timeline.frame import InapplicableError, UnmeasurableError
from drillmark.model.evidence import Evidence, Rows


@dataclass(slots=True)
class Scene:
    """One run, ready to be measured.

    Attributes:
        beats, load: None where there are none; `*_reason` says why.
        side: beats on a copy that is restored to the side, likewise.
        errors: parts that raised what nobody expected.
    """

    evidence: Evidence
    facts: Facts
    beats: Beats | None
    beats_reason: str
    load: Load | None
    load_reason: str
    side: Beats | None = None
    side_reason: str = ""
    errors: list[str] = field(default_factory=list[str])
    _limits: Limits | None = None

    @property
    def limits(self) -> Limits:
        """The limits; by the load's baseline where no throughput is stated, which only who asks for them waits for."""
        if self._limits is None:
            facts = self.facts
            baseline = None if facts.baseline_begun is None else (facts.baseline_begun.hi, 0)
            # Before the fault there is no baseline to take a share of yet.
            self._limits = limits_of.limits_of(self.evidence.plan, self.load, baseline if facts.injected else None)
        return self._limits

    def require_beats(self) -> Beats:
        """The beats. Raises where there are none, or where there were to be none."""
        if self.evidence.plan.probes is None:
            if self.evidence.plan.objectives.rto_stated:
                raise UnmeasurableError("the drill has no probes")
            raise InapplicableError("the drill has no probes")
        if self.beats is None:
            raise UnmeasurableError(self.beats_reason)
        return self.beats

    def restored(self) -> Served:
        """What tells that service was restored: of a copy that nobody uses yet, good beats alone."""
        if not self.evidence.plan.simulated:
            return Served(self.require_beats(), self.load, self.limits)
        if self.side is None:
            raise UnmeasurableError(self.side_reason)
        return Served(self.side, None, _BEATS_ALONE)


@dataclass(frozen=True, slots=True)
class Served:
    """The beats, the load and the limits by which a restored service is judged."""

    beats: Beats
    load: Load | None
    limits: Limits


_BEATS_ALONE = Limits(None, {}, None, None, throughput_is_default=False, loaded=False)


def build(evidence: Evidence, *, live: bool) -> Scene:
    """Everything that measuring shares. `live`: the run goes on, and files are still being written.

    Raises UnmeasurableError where the journal gives no time axis.
    """
    facts = facts_of.gather(evidence)
    errors: list[str] = []
    beats, beats_reason = _beats(evidence.beats, "beats.dms", facts, errors, live=live)
    side, side_reason = None, "the disaster is not simulated"
    if evidence.plan.simulated:
        side, side_reason = _beats(evidence.side, "side.dms", facts, errors, live=live)
    load, load_reason = _load(evidence, facts, errors, live=live)
    return Scene(evidence, facts, beats, beats_reason, load, load_reason, side, side_reason, errors)


def _beats(table: Rows | None, name: str, facts: Facts, errors: list[str], *, live: bool) -> tuple[Beats | None, str]:
    try:
        return beats_of.read(table, facts.frame, journalled_rows=None if live else facts.rows.get(name)), ""
    except UnmeasurableError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 (a measuring part that raises makes its measurement unknown)
        errors.append(f"beats of {name}: {error!r}")
        return None, f"the beats could not be read: {error!r}"


def _load(evidence: Evidence, facts: Facts, errors: list[str], *, live: bool) -> tuple[Load | None, str]:
    if evidence.plan.load is None:
        return None, "the drill has no load"
    try:
        whole = None if live else _whole(evidence, facts)
        limits = tuple(sorted(set(limits_of.latencies_of(evidence.plan).values())))
        if evidence.plan.load.parts:
            return parts_of.read(evidence, facts.frame, ended=facts.load_ended, whole=whole, limits_ns=limits), ""
        tables = evidence.load, evidence.load_users
        return load_of.read(*tables, facts.frame, ended=facts.load_ended, whole=whole, limits_ns=limits), ""
    except UnmeasurableError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 (a measuring part that raises makes its measurement unknown)
        errors.append(f"load: {error!r}")
        return None, f"the load could not be read: {error!r}"


def _whole(evidence: Evidence, facts: Facts) -> bool:
    tables: dict[str, Rows | None] = {"load.dms": evidence.load, "load-users.dms": evidence.load_users}
    if evidence.load_parts:
        tables = {"load-users.dms": evidence.load_users}
        for part in evidence.load_parts:
            tables |= {f"load-{part.worker}.dms": part.requests, f"load-users-{part.worker}.dms": part.users}
    for name, table in tables.items():
        rows = facts.rows.get(name)
        if table is None or (rows is not None and len(table) < rows) or (rows is None and not table.closed):
            return False
    return True
