"""Plans, and what is said of drills that make none, from definitions in YAML."""

from __future__ import annotations

from define_builders import EXPERIMENT, MINIMAL_DRILL, TARGETS
from drillmark import plan as planning
from drillmark.define import read_drill, read_experiment, read_settings, read_targets
from drillmark.model.plan import Plan

PATH = "experiments/orders-db-lost.yaml"


def parts(drill: str = MINIMAL_DRILL, targets: str = TARGETS, experiment: str = EXPERIMENT):
    return (
        read_drill(drill.encode(), "d.yaml"),
        read_targets(targets.encode(), "t.yaml"),
        read_experiment(experiment.encode(), PATH),
    )


def make(
    drill: str = MINIMAL_DRILL, targets: str = TARGETS, settings: str = "", experiment: str = EXPERIMENT, **changes
) -> Plan:
    read, of, its = parts(drill, targets, experiment)
    assert read.value is not None, read.problems
    assert of.value is not None, of.problems
    given = {"source": "drills/d.yaml", "experiment": its, "sources": {PATH: "ab"}} | changes
    return planning.make(read.value, of.value, read_settings(settings.encode(), "s.yaml").value, **given)


def checked(
    drill: str = MINIMAL_DRILL, targets: str = TARGETS, experiment: str = EXPERIMENT
) -> tuple[list[str], list[str]]:
    problems, warnings = planning.check(*parts(drill, targets, experiment))
    return [str(problem) for problem in problems], [str(warning) for warning in warnings]


def refused(drill: str, targets: str = TARGETS) -> list[str]:
    read, _, _ = parts(drill, targets)
    assert read.problems == []
    return [str(problem) for problem in planning.unsupported(read)]
