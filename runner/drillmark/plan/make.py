"""A drill, its target and the workspace's settings become one plan that stands by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drillmark.define.activity import Activity, Ref
from drillmark.define.drill import Alert, Drill, Fault, Load, Objectives, Phases, Positions
from drillmark.define.experiment import Experiment
from drillmark.define.settings import Settings
from drillmark.define.targets import Target, Targets
from drillmark.errors import InvalidDefinitionError, Problem
from drillmark.model import plan as model
from drillmark.model.planned import (
    PlannedActivity,
    PlannedAlert,
    PlannedAlerts,
    PlannedFault,
    PlannedGuard,
    PlannedLoad,
    PlannedPositions,
    PlannedProbes,
    PlannedSimulation,
)
from drillmark.model.target import PlannedTarget
from drillmark.plan import protection
from drillmark.plan.markers import marker_writers
from drillmark.plan.resolve import named, planned, resolve

_DAY_SECONDS = 86400.0


def make(
    drill: Drill,
    targets: Targets,
    settings: Settings,
    *,
    source: str,
    experiment: Experiment | None = None,
    sources: Mapping[str, str] | None = None,
) -> model.Plan:
    """The plan of a drill.

    Args:
        drill: the drill.
        targets: the targets file.
        settings: the workspace's settings.
        source: the drill's file, from the workspace root.
        experiment: the fault's experiment; None for a simulated fault or a tabletop.
        sources: path from the workspace root -> SHA-256 of every file that the plan was made of.

    Raises:
        InvalidDefinitionError: a name does not exist, or the experiment is missing (`check` tells it with its place).
    """
    target = targets.targets.get(drill.target)
    if target is None:
        raise InvalidDefinitionError([Problem(source, 0, 0, f"there is no target `{drill.target}`")])
    hashes = dict(sources or {})
    objectives = _objectives(drill.objectives)

    def all_of(uses: Sequence[Ref | Activity]) -> list[PlannedActivity]:
        return [resolve(use, target, source) for use in uses]

    def by_name(names: Sequence[str]) -> list[PlannedActivity]:
        return [planned(named(name, target, source)) for name in names]

    probes = drill.observe.probes if drill.observe else None
    return model.Plan(
        drill=drill.id,
        title=drill.title,
        owner=drill.owner,
        source=source,
        mode=drill.mode,
        disaster=drill.disaster,
        runbook=drill.runbook,
        risk=model.Risk(**drill.risk.model_dump()) if drill.risk else model.Risk(),
        target=_target(drill.target, target, targets),
        objectives=objectives,
        phases=_phases(drill.phases, objectives.rto_seconds),
        fault=_fault(drill, target, settings, source, experiment, hashes),
        simulation=_simulation(drill, target, settings, source),
        load=_load(drill.load, hashes),
        probes=_probes(probes, by_name(target.probes) if not (probes and probes.use) else all_of(probes.use)),
        markers=marker_writers(target.markers, drill.observe.markers if drill.observe else None, source),
        alerts=_alerts(drill.observe.alerts if drill.observe else None, settings),
        positions=_positions(target, drill.observe.positions if drill.observe else None, source),
        identity=planned(named(target.identity, target, source)) if target.identity else None,
        preflight=by_name(protection.preflights(target)),
        recover=all_of(drill.recover or []),
        verify=by_name(_own_verify(drill, target)) if drill.verify is None else all_of(drill.verify),
        guards=[
            PlannedGuard(
                name=guard.name,
                probe=resolve(guard.probe, target, source),
                fails_for_seconds=guard.fails_for,
                then=guard.then,
            )
            for guard in drill.guards or []
        ]
        + protection.budget_guards(drill.target, settings),
        blast_radius=protection.rules_of(drill.blast_radius) if drill.blast_radius else None,
        window=protection.window(drill.schedule),
        configuration=targets.configuration,
        secrets=targets.secrets,
        gap_due_days=_due_days(settings),
        sources=hashes,
    )


def _target(name: str, target: Target, targets: Targets) -> PlannedTarget:
    return PlannedTarget(
        name=name,
        environment=target.environment,
        tier=target.tier,
        disposable=target.disposable,
        labels=target.labels,
        touches=target.touches,
        touched=[protection.touched(each, targets) for each in target.touches],
        scope=protection.scope(target),
    )


def _objectives(stated: Objectives | None) -> model.Objectives:
    if stated is None:
        return model.Objectives()
    standard, slo = model.Objectives(), stated.slo
    latency = slo.latency if slo else None
    return model.Objectives(
        rto_seconds=standard.rto_seconds if stated.rto is None else stated.rto,
        rto_stated=stated.rto is not None,
        rpo_seconds=standard.rpo_seconds if stated.rpo is None else stated.rpo,
        rpo_stated=stated.rpo is not None,
        time_to_detect_seconds=stated.time_to_detect,
        mtd_seconds=stated.mtd,
        after_undo_seconds=stated.after_undo,
        slo=model.Slo(
            availability_ratio=slo.availability if slo else None,
            latency=model.Latency(
                p50_seconds=latency.p50 if latency else None,
                p95_seconds=latency.p95 if latency else None,
                p99_seconds=latency.p99 if latency else None,
            ),
            error_ratio=slo.error_rate if slo else None,
            throughput_per_second=slo.throughput if slo else None,
        ),
    )


def _phases(stated: Phases | None, rto_seconds: float) -> model.Phases:
    """Defaults filled in; the recovery may take twice its objective."""
    standard, phases = model.Phases(), stated or Phases()
    return model.Phases(
        baseline_seconds=phases.baseline or standard.baseline_seconds,
        detect_seconds=standard.detect_seconds if phases.detect is None else phases.detect,
        fault_seconds=phases.fault or standard.fault_seconds,
        recover_deadline_seconds=phases.recover.deadline if phases.recover else 2 * rto_seconds,
        verify_deadline_seconds=phases.verify.deadline if phases.verify else standard.verify_deadline_seconds,
        soak_seconds=phases.soak or standard.soak_seconds,
        hold_seconds=phases.hold or standard.hold_seconds,
    )


def _fault(
    drill: Drill,
    target: Target,
    settings: Settings,
    source: str,
    experiment: Experiment | None,
    hashes: Mapping[str, str],
) -> PlannedFault | None:
    fault = drill.fault
    if not isinstance(fault, Fault):
        return None
    if experiment is None or experiment.value is None:
        raise InvalidDefinitionError([Problem(source, 0, 0, f"{fault.experiment} could not be read")])
    effect = resolve(fault.effect, target, source) if fault.effect else None
    if effect is None and target.effect:
        effect = planned(named(target.effect, target, source))
    return PlannedFault(
        path=fault.experiment,
        sha256=hashes.get(fault.experiment, ""),
        experiment=experiment.value,
        actions=experiment.actions,
        undos=experiment.undos,
        effect=effect,
        runner_lost=fault.runner_lost,
        lease_seconds=settings.guard.lease,
        hits=protection.hits(fault.hits),
    )


def _simulation(drill: Drill, target: Target, settings: Settings, source: str) -> PlannedSimulation | None:
    if drill.fault != "simulated":
        return None
    if not (target.side and target.source and target.discard):
        problem = Problem(source, 0, 0, f"the target `{drill.target}` has no `side`, `source` or `discard`")
        raise InvalidDefinitionError([problem])
    probes = _probes(
        drill.observe.probes if drill.observe else None, [planned(named(name, target, source)) for name in target.side]
    )
    assert probes is not None
    return PlannedSimulation(
        source=planned(named(target.source, target, source)),
        probes=probes,
        discard=planned(named(target.discard, target, source)),
        identity=planned(named(target.side_identity, target, source)) if target.side_identity else None,
        lease_seconds=settings.guard.lease,
    )


def _own_verify(drill: Drill, target: Target) -> list[str]:
    """The target's verification, which looks at production: it says nothing of a copy."""
    return [] if drill.fault == "simulated" else target.verify


def _load(load: Load | None, hashes: Mapping[str, str]) -> PlannedLoad | None:
    if load is None:
        return None
    return PlannedLoad(
        locustfile=load.locustfile,
        sha256=hashes.get(load.locustfile, ""),
        users=load.users,
        spawn_rate_per_second=load.spawn_rate,
        processes=load.processes,
        host=load.host,
        master_host=load.master.rpartition(":")[0] if load.master else None,
        master_port=int(load.master.rpartition(":")[2]) if load.master else 0,
        workers=load.workers or 0,
    )


def _probes(probes: object, activities: list[PlannedActivity]) -> PlannedProbes | None:
    if not activities:
        return None
    standard = PlannedProbes()
    return PlannedProbes(
        every_seconds=getattr(probes, "every", None) or standard.every_seconds,
        timeout_seconds=getattr(probes, "timeout", None) or standard.timeout_seconds,
        activities=activities,
    )


def _alerts(alerts: list[Alert] | None, settings: Settings) -> PlannedAlerts | None:
    if not alerts:
        return None
    host, _, port = settings.alerts.listen.rpartition(":")
    return PlannedAlerts(
        host=host,
        port=int(port),
        clock_error_seconds=settings.alerts.clock_error,
        token_variable=(settings.alerts.token or "").strip("${}"),
        rules=[PlannedAlert(webhook=alert.webhook, match=alert.match) for alert in alerts],
    )


def _positions(target: Target, laid_over: Positions | None, source: str) -> PlannedPositions | None:
    own = target.positions
    if own is None and laid_over is None:
        return None
    secrets = (laid_over and laid_over.secrets) or (own and own.secrets)
    if not secrets:
        raise InvalidDefinitionError([Problem(source, 0, 0, "the positions have no `secrets`")])
    standard = PlannedPositions(secrets=secrets)
    return PlannedPositions(
        store=(laid_over and laid_over.store) or (own and own.store) or standard.store,
        secrets=secrets,
        every_seconds=(laid_over and laid_over.every) or (own and own.every) or standard.every_seconds,
    )


def _due_days(settings: Settings) -> model.GapDueDays:
    """Whole days, and at least one."""

    def days(seconds: float) -> int:
        return max(1, round(seconds / _DAY_SECONDS))

    due = settings.gaps.due
    return model.GapDueDays(high=days(due.high), medium=days(due.medium), low=days(due.low))
