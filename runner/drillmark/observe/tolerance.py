"""Whether an answer is right: Chaos Toolkit's own tolerances, and for HTTP a 2xx as well.

The meaning of a tolerance is chaoslib's, exactly. An HTTP 500 whose body happens to match is not an answer, so a
beat also needs a 2xx, unless its tolerance itself names the status. A tolerance that fails to apply is not met.
"""

from __future__ import annotations

import copy
from typing import Any

from chaoslib.hypothesis import within_tolerance

from drillmark.chaos.values import names_status

_SUCCESS = range(200, 300)


def is_met(activity: dict[str, Any], value: Any, configuration: dict[str, Any], secrets: dict[str, Any]) -> bool:
    """Whether an activity's result is within its tolerance; without a tolerance, always."""
    if "tolerance" not in activity:
        return True
    try:
        # chaoslib writes the value into a tolerance of type probe.
        tolerance = copy.deepcopy(activity["tolerance"])
        return bool(within_tolerance(tolerance, value=value, configuration=configuration, secrets=secrets))
    except Exception:  # noqa: BLE001  # chaoslib raises whatever an unfitting value causes; it is not met then
        return False


def http_is_good(
    activity: dict[str, Any], response: dict[str, Any], configuration: dict[str, Any], secrets: dict[str, Any]
) -> tuple[bool, str]:
    """Judge an HTTP response of chaoslib's shape `{status, headers, body}`; with the detail for its row."""
    status = int(response["status"])
    if status not in _SUCCESS and not names_status(activity.get("tolerance")):
        return False, str(status)
    if is_met(activity, response, configuration, secrets):
        return True, str(status)
    return False, "tolerance" if status in _SUCCESS else str(status)
