"""How much of an error budget is spent: asked of Prometheus, or counted from our own runs.

What cannot be told is told as such. Must never take an empty answer for a good one.
"""

from __future__ import annotations

import json
import math
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from drillmark.define.safety import Budget
from drillmark.errors import DrillmarkError
from drillmark.journal.port import Store
from drillmark.safety import own_runs
from drillmark.safety.model import BudgetFact

TIMEOUT_SECONDS = 10.0
_LIMIT_BYTES = 1_000_000
# A ratio of two sums may be a hair above 1.
_SLACK = 1e-6


class UntoldError(DrillmarkError):
    """Nobody can say how much of a budget is spent; the text says why."""

    code = "budget"


def look(store: Store | None, budget: Budget) -> BudgetFact:
    """One budget at this moment."""
    asked = budget.prometheus
    source = "our own runs" if asked is None else asked.url
    spent: float | None = None
    problem = ""
    try:
        if asked is None:
            spent = own_runs.bad_seconds(store, budget.target, budget.over) / ((1 - budget.slo) * budget.over)
        else:
            spent = (1 - good_ratio(asked.url, asked.query, asked.token)) / (1 - budget.slo)
    except DrillmarkError as error:
        problem = str(error)
    return BudgetFact(budget.target, budget.slo, budget.over, source, spent, problem)


def good_ratio(url: str, query: str, token: str | None = None) -> float:
    """The share of what was good, by PromQL. Raises UntoldError where the answer is not one number from 0 to 1."""
    found = _numbers(_ask(url, query, token), query)
    if len(found) != 1:
        what = "no data" if not found else f"{len(found)} series, and one is needed"
        raise UntoldError(f"{url} has {what} for {query}")
    if not math.isfinite(found[0]) or not -_SLACK <= found[0] <= 1 + _SLACK:
        raise UntoldError(f"{url} answers {found[0]:g} to {query}: no share between 0 and 1")
    return min(1.0, max(0.0, found[0]))


def _ask(url: str, query: str, token: str | None) -> Any:
    body = urllib.parse.urlencode({"query": query}).encode()
    request = urllib.request.Request(f"{url.rstrip('/')}/api/v1/query", data=body)  # noqa: S310 (http by its type)
    if token is not None:
        if not os.environ.get(token):
            raise UntoldError(f"the environment variable {token}, which holds the token for {url}, is not set")
        request.add_header("Authorization", f"Bearer {os.environ[token]}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (likewise)
            return json.loads(answer.read(_LIMIT_BYTES))
    except urllib.error.HTTPError as error:
        detail = error.read(_LIMIT_BYTES).decode("utf-8", "replace")[:300]
        raise UntoldError(f"{url} refuses {query}: {error.code} {detail}") from error
    except (OSError, ValueError) as error:
        raise UntoldError(f"{url} cannot be asked: {getattr(error, 'reason', error)}") from error


def _numbers(answer: Any, query: str) -> list[float]:
    try:
        data = answer["data"]
        if answer["status"] != "success":
            raise UntoldError(f"{query} was not answered: {answer.get('error')}")
        if data["resultType"] == "scalar":
            return [float(data["result"][1])]
        if data["resultType"] == "vector":
            return [float(each["value"][1]) for each in data["result"]]
        raise UntoldError(f"{query} gives a {data['resultType']}, and one number is needed")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UntoldError(f"the answer to {query} is none of Prometheus'") from error
