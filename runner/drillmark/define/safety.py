"""What drills may reach and how much disturbance is allowed: parts of settings, targets and drills.

Only their shape is checked here; what they forbid is `safety`'s to say.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from drillmark.define.base import Strict, show, wrong
from drillmark.define.units import Name, PositiveSeconds, Ratio, Seconds, Slug, Url

_PROMQL_SECONDS = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_PROMQL_RANGE = re.compile(r"\[\s*((?:[0-9]+(?:ms|[ywdhms]))+)(?=\s*[\]:])")
_PROMQL_PART = re.compile(r"([0-9]+)(ms|[ywdhms])")
DAY_SECONDS = 86400.0


def _some(value: object) -> object:
    if isinstance(value, (list, dict)) and not value:
        raise wrong("a rule that allows nothing would refuse every drill", "name what is allowed, or take the key away")
    return value


def _instances(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value < 1:
        raise wrong(f"a target of {value} instances is empty: there is nothing to rehearse on", "count at least one")
    return value


def _between(value: float) -> float:
    if not 0.0 < value < 1.0:
        hint = "an objective of 100% leaves no budget at all, one of 0% cannot be missed: such as 99.9%"
        raise wrong(f"expected a percentage between 0% and 100%, found {value * 100:g}%", hint)
    return value


Instances = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_instances)]
Allowed = Annotated[list[Name], Field(min_length=1), BeforeValidator(_some)]
Objective = Annotated[Ratio, AfterValidator(_between)]


class BlastRadius(Strict):
    """What may be reached at most. A rule that is not stated does not hold; all that are must."""

    environments: Annotated[list[Slug], Field(min_length=1), BeforeValidator(_some)] | None = Field(
        default=None, description="The environments whose targets may be drilled.", examples=[["lab", "staging"]]
    )
    accounts: Allowed | None = Field(
        default=None, description="Accounts, projects or subscriptions.", examples=[["123456789012"]]
    )
    namespaces: Allowed | None = Field(default=None, description="Namespaces.", examples=[["orders"]])
    labels: Annotated[dict[str, str], Field(min_length=1), BeforeValidator(_some)] | None = Field(
        default=None,
        description="Labels that targets must carry, and that whatever is selected by labels must be selected by too.",
        examples=[{"team": "orders"}],
    )
    share: Ratio | None = Field(default=None, description="The share of a target's instances that a fault may hit.")
    at_once: Instances | None = Field(default=None, description="How many instances a fault may hit at once.")


class Scope(Strict):
    """What a target stands in, and of how many instances it consists."""

    accounts: list[Name] | None = Field(
        default=None, description="Accounts, projects or subscriptions; an empty list: in none.", examples=[["1234"]]
    )
    namespaces: list[Name] | None = Field(default=None, description="Namespaces; an empty list: in none.")
    instances: Instances | None = Field(default=None, description="Of how many instances it consists.")
    counted_by: Name | None = Field(
        default=None,
        description="The probe that counts the instances, by name; asked before anything is touched.",
    )

    @model_validator(mode="after")
    def _one_count(self) -> Scope:
        if self.instances is not None and self.counted_by is not None:
            raise wrong("`instances` and `counted_by` contradict each other", "keep one of them")
        return self


class Hits(Strict):
    """How many instances the fault hits, where its activities do not tell."""

    instances: Instances | None = Field(default=None, description="So many instances.")
    share: Ratio | None = Field(default=None, description="This share of the target's instances.")


class TooFast(Strict):
    """When an error budget is being spent too fast for a drill to go on."""

    rate: float = Field(
        default=14.4,
        gt=0,
        le=1_000_000,
        description="How many times as fast as the budget lasts; 14.4 (a tenth of it in five hours) unless given.",
    )
    window: PositiveSeconds = Field(default=300.0, description="Looked at over so long; 5m unless given.")
    fails_for: Seconds = Field(default=10.0, description="How long it may be so before the run is aborted; 10s.")


class Prometheus(Strict):
    """Where an error budget is asked for."""

    url: Url = Field(description="The server's address.", examples=["http://prometheus:9090"])
    query: Annotated[str, Field(min_length=1, max_length=10_000)] = Field(
        description="PromQL: the share of what was good (0 to 1) over the budget's time, as a range such as [30d]."
    )
    token: Name | None = Field(default=None, description="The environment variable that holds a bearer token.")


class Budget(Strict):
    """An error budget: what the objective leaves. Drills of the target respect it."""

    target: Name = Field(description="The target whose drills are held to it.")
    slo: Objective = Field(description="The objective.", examples=["99.9%"])
    over: PositiveSeconds = Field(default=30 * DAY_SECONDS, description="Over how long a time; 30d unless given.")
    prometheus: Prometheus | None = Field(
        default=None, description="Where it is asked for; without it, what our own runs took is counted."
    )
    too_fast: TooFast | None = Field(default=None, description="When a run is aborted because of it.")

    @model_validator(mode="after")
    def _can_be_shortened(self) -> Budget:
        if self.prometheus is not None and with_range(self.prometheus.query, self.over, "1m") == self.prometheus.query:
            raise wrong(
                f"the query {show(self.prometheus.query)} has no range of {self.over / DAY_SECONDS:g} days",
                "write [30d] where `over` is 30d: a shorter range in its place tells how fast the budget is spent",
            )
        return self


def with_range(query: str, over_seconds: float, written: str) -> str:
    """The query with another range in place of each one that is `over_seconds` long."""

    def replaced(match: re.Match[str]) -> str:
        found = sum(float(number) * _PROMQL_SECONDS[unit] for number, unit in _PROMQL_PART.findall(match[1]))
        return f"[{written}" if abs(found - over_seconds) < 0.5 * _PROMQL_SECONDS["ms"] else match[0]

    return _PROMQL_RANGE.sub(replaced, query)


def promql_duration(seconds: float) -> str:
    """A duration as PromQL writes it."""
    return f"{max(1, round(seconds * 1000))}ms"
