"""`drillmark plan`: what a drill would do, step by step. Must never touch anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from drillmark.cli import calls, terminal
from drillmark.errors import EXIT_INVALID, InvalidDefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drillmark.model.plan import Plan
    from drillmark.model.planned import PlannedActivity, PlannedAlert, PlannedSimulation
    from drillmark.workspace import Checked

Step = tuple[str, list[str]]


@click.command()
@click.argument("drill", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the plan, its hash, what `run` would refuse.")
@click.pass_context
def command(context: click.Context, drill: str, *, as_json: bool) -> None:
    """Show what a drill would do; touch nothing.

    The resolved target, each step in order, the fault with its undo, the objectives, and the hash of the plan.
    """
    from drillmark import workspace as workspaces
    from drillmark.cli import validate

    workspace = workspaces.Workspace(workspaces.find())
    checked = workspace.check(workspace.drill_source(drill))
    if checked.plan is None:
        if not as_json:
            raise InvalidDefinitionError(checked.problems)
        terminal.echo_json({"problems": [validate.as_json(problem) for problem in checked.problems]})
        context.exit(EXIT_INVALID)
    elif as_json:
        terminal.echo_json(_document(checked, checked.plan) | {"refused_by": _refused_by(workspace.root, checked.plan)})
    else:
        terminal.echo_lines(lines(checked, checked.plan, _refused_by(workspace.root, checked.plan)))


def _document(checked: Checked, plan: Plan) -> dict[str, Any]:
    from drillmark import plan as planning
    from drillmark.cli import validate

    return {
        "hash": planning.digest(plan),
        "plan": plan.model_dump(mode="json"),
        "warnings": [validate.as_json(problem) for problem in checked.warnings],
        "refusals": [validate.as_json(problem) for problem in checked.refusals],
    }


def _refused_by(root: Path, plan: Plan) -> list[dict[str, str]]:
    """The rules by which a run would be refused at this moment, of the user of this process."""
    from drillmark.engine import permission

    return [{"rule": one.rule, "words": one.words, "hint": one.hint} for one in permission.look(root, plan)]


def lines(checked: Checked, plan: Plan, refused: Sequence[dict[str, str]] = ()) -> list[tuple[str, str]]:
    """The plan for people: (text, style)."""
    from drillmark import plan as planning
    from drillmark.report.words import harmless

    told: list[tuple[str, str]] = [
        (f"{plan.drill}: {plan.title}", "head"),
        (f"  {plan.source}, {plan.mode}, owner {plan.owner}", ""),
        (f"  target {_target(plan)}", ""),
    ]
    told.append(("Steps, in order", "head"))
    for number, (name, details) in enumerate(_steps(plan), 1):
        first, *rest = details
        told.append((f"  {number:2} {name:<13} {first}", ""))
        told += [(f"     {'':<13} {line}", "") for line in rest]
    told.append(("Judged", "head"))
    told += [(f"  {name:<18} {value}", "") for name, value in _objectives(plan)]
    for title, problems in (("Warnings", checked.warnings), ("`run` refuses this, for now", checked.refusals)):
        if problems:
            told.append((title, "doubt"))
            told += [
                (f"  {problem.file}:{problem.line}:{problem.column}: {problem.message}", "") for problem in problems
            ]
    if refused:
        told.append(("A run would be refused at this moment", "doubt"))
        told += [(f"  {one['rule']}: {one['words']}", "") for one in refused]
    told.append((f"Plan {planning.digest(plan)}", "dim"))
    told.append(("Nothing was touched.", "dim"))
    return [(harmless(text), style) for text, style in told]


def _target(plan: Plan) -> str:
    target = plan.target
    parts = [f"{target.name} in environment {target.environment}"]
    if target.tier is not None:
        parts.append(f"tier {target.tier}")
    if target.disposable:
        parts.append("disposable")
    if target.touches:
        parts.append(f"locks too: {', '.join(target.touches)}")
    return ", ".join(parts)


def _steps(plan: Plan) -> list[Step]:
    from drillmark.report.words import duration

    phases = plan.phases
    steps: list[Step] = [("preflight", [f"{_told(item)}, must be true" for item in plan.preflight])]
    steps += [("observe", _observed(plan)), ("guards", _guards(plan)), ("load", _load(plan))]
    steps.append(("baseline", [f"{duration(phases.baseline_seconds)} of steady state, else nothing is injected"]))
    steps.append(("disaster" if plan.simulated else "fault", _fault(plan)))
    if plan.recovers:
        if phases.detect_seconds:
            words = f"wait up to {duration(phases.detect_seconds)} for an alert or `drillmark declare`"
            steps.append(("detect", [f"{words}, then recover all the same"]))
        steps += [("recover", [_told(item) + (", repeatable" if item.repeatable else "")]) for item in plan.recover]
        steps[-1][1].append(f"all within {duration(phases.recover_deadline_seconds)}")
        steps.append(("verify", [_told(item) for item in plan.verify]))
        who = "copy" if plan.simulated else "service"
        soak = f"{duration(phases.soak_seconds)}, until the {who} holds for {duration(phases.hold_seconds)}"
        steps += [("soak", [soak]), ("read back", _read_back(plan)), ("undo", _undo(plan))]
    else:
        steps.append(("stay", [f"the fault stays for {duration(phases.fault_seconds)}"]))
        steps += [("undo", _undo(plan)), ("soak", [f"{duration(phases.soak_seconds)} after the undo"])]
        steps += [("read back", _read_back(plan)), ("verify", [_told(item) for item in plan.verify])]
    steps.append(("conclude", ["measure, judge, file gaps, write the report"]))
    return [(name, details) for name, details in steps if details]


def _observed(plan: Plan) -> list[str]:
    from drillmark.report.words import duration

    told: list[str] = []
    if plan.probes:
        every, timeout = duration(plan.probes.every_seconds), duration(plan.probes.timeout_seconds)
        pace = f"a beat every {every}, answered within {timeout}"
        told += [pace, *(f"  {_told(item)}" for item in plan.probes.activities)]
    if plan.alerts:
        where = f"{plan.alerts.host}:{plan.alerts.port or 'a free port'}"
        token = f" with the token in {plan.alerts.token_variable}" if plan.alerts.token_variable else ""
        told.append(f"alerts received on {where}{token}: {', '.join(_alert(rule) for rule in plan.alerts.rules)}")
    for one in plan.markers:
        name = f"{one.name}: " if one.name else ""
        told.append(
            f"{name}{1 / one.every_seconds:g} marker writes a second from {one.writers} connections "
            f"({one.store}, {f'secrets {one.secrets}' if one.secrets else 'no secrets'})"
        )
    if plan.positions:
        every = duration(plan.positions.every_seconds)
        told.append(f"the log position every {every} ({plan.positions.store}, secrets {plan.positions.secrets})")
    return told


def _guards(plan: Plan) -> list[str]:
    from drillmark.report.words import duration

    return [f"{_told(one.probe)}, aborts when it fails for {duration(one.fails_for_seconds)}" for one in plan.guards]


def _load(plan: Plan) -> list[str]:
    load = plan.load
    if load is None:
        return []
    return [f"{load.locustfile}: {load.users} users, {load.spawn_rate_per_second:g} more each second"]


def _fault(plan: Plan) -> list[str]:
    from drillmark.report.words import duration

    fault = plan.fault
    if plan.simulation is not None:
        return _simulated(plan.simulation)
    if fault is None:
        return ["none"]
    told = [f"{fault.path}: {', '.join(fault.actions)}", *_calls(fault.experiment, "method")]
    if fault.effect:
        told.append(f"proved by {_told(fault.effect)} within {duration(fault.effect_within_seconds)}")
    else:
        told.append("its effect is not probed")
    told.append(f"undone by {', '.join(fault.undos)}" if fault.undos else "has no undo (the target is disposable)")
    told += _calls(fault.experiment, "rollbacks")
    if fault.runner_lost == "undo":
        told.append(f"if the runner is lost, the guard undoes it after {duration(fault.lease_seconds)}")
    else:
        told.append("if the runner is lost, the guard holds it until the run's deadline, then undoes it")
    return told


def _simulated(simulation: PlannedSimulation) -> list[str]:
    from drillmark.report.words import duration

    return [
        "simulated: nothing is injected, production goes on and must keep its service level",
        f"only this counts as backup, listed before it: {_told(simulation.source)}",
        *(f"beats on the copy: {_told(item)}" for item in simulation.probes.activities),
        f"if the runner is lost, the guard takes the copy away after {duration(simulation.lease_seconds)}",
    ]


def _undo(plan: Plan) -> list[str]:
    return plan.undos


def _read_back(plan: Plan) -> list[str]:
    told = ["every acknowledged marker write is looked for"] if plan.markers else []
    told = [f"{line}, in the copy" if plan.simulated else line for line in told]
    identity = plan.whose if told else None
    return told + ([f"whose data it is: {_told(identity)}"] if identity else [])


def _alert(rule: PlannedAlert) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in rule.match.items())
    return f"{rule.webhook} ({labels or 'any'})"


def _told(item: PlannedActivity) -> str:
    """An activity in one line: its name, and what is called."""
    return f"{item.name}: {calls.called(item.activity)}"


def _calls(experiment: dict[str, Any], section: str) -> list[str]:
    """What the activities of a section of an experiment call."""
    from drillmark.chaos import layout

    return [
        f"  {layout.name_of(each)}: {calls.called(layout.dereference(experiment, each) or each)}"
        for where, _, each in layout.places(experiment)
        if where == section
    ]


def _objectives(plan: Plan) -> list[tuple[str, str]]:
    from drillmark.report.words import duration, quantity

    goals, slo = plan.objectives, plan.objectives.slo
    told = [
        ("RTO", duration(goals.rto_seconds) + ("" if goals.rto_stated else " (the default)")),
        ("RPO", duration(goals.rpo_seconds) + ("" if goals.rpo_stated else " (the default)")),
    ]
    seconds = (
        ("time to detect", goals.time_to_detect_seconds),
        ("MTD", goals.mtd_seconds),
        ("after the undo", goals.after_undo_seconds),
        ("latency p50", slo.latency.p50_seconds),
        ("latency p95", slo.latency.p95_seconds),
        ("latency p99", slo.latency.p99_seconds),
    )
    told += [(name, duration(value)) for name, value in seconds if value is not None]
    others = (
        ("availability", slo.availability_ratio, "ratio"),
        ("error rate", slo.error_ratio, "ratio"),
        ("throughput", slo.throughput_per_second, "per_second"),
    )
    return told + [(name, quantity(value, unit)) for name, value, unit in others if value is not None]
