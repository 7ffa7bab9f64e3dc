"""Plans, facts and approvals to judge, and what is refused of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from drillmark.decisions import Approval, State
from drillmark.define import read_settings
from drillmark.model.digest import digest
from drillmark.model.plan import Plan, PlannedWindow
from drillmark.model.planned import PlannedFault, PlannedHits
from drillmark.model.target import BlastRadius, PlannedScope, PlannedTarget, PlannedTouch
from drillmark.safety import Facts, refusals

NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)  # a Tuesday
WINDOW = PlannedWindow(days="tue-thu", opens="02:00", closes="05:00")


def settings(text: str = ""):
    parsed = read_settings(text.encode(), "drillmark.yaml")
    assert parsed.problems == []
    return parsed.value


def python(func="lose", module="shutil", kind="action", **arguments):
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"name": func, "type": kind, "provider": provider}


def process(*words):
    return {
        "name": "run",
        "type": "action",
        "provider": {"type": "process", "path": words[0], "arguments": list(words[1:])},
    }


def plan(*method, environment="test", configuration=None, hits=None, **more) -> Plan:
    scope = more.pop("scope", {})
    touched = [PlannedTouch(**one) for one in more.pop("touched", [])]
    target = PlannedTarget(
        name="orders", environment=environment, labels=more.pop("labels", {}), scope=PlannedScope(**scope),
        touched=touched, touches=[one.name for one in touched],
    )  # fmt: skip
    experiment = {"title": "x", "method": list(method or [python()]), "configuration": configuration or {}}
    fault = PlannedFault(
        path="experiments/x.yaml", sha256="", experiment=experiment, actions=[], undos=[],
        hits=PlannedHits(**(hits or {})),
    )  # fmt: skip
    return Plan(drill="d", title="t", owner="o", source="drills/d.yaml", target=target, fault=fault, **more)


def approval(of: Plan, **more) -> Approval:
    fields = {
        "entry": 1, "hash": "h", "drill": of.drill, "run": "", "plan_hash": digest(of), "approver": "Ada",
        "requester": "Grace", "reason": "agreed", "expires": NOW + timedelta(hours=1), "at": NOW,
    }  # fmt: skip
    return Approval(**(fields | more))


def facts(requester="Grace", now=NOW, **more) -> Facts:
    return Facts(now=now, requester=requester, decisions=State(**more))


def refused(of: Plan, rules: str = "", found: Facts | None = None) -> list[str]:
    return [str(one) for one in refusals(of, settings(rules), found or facts())]


def radius(**rules) -> BlastRadius:
    return BlastRadius(**rules)
