"""What Chaos Toolkit itself, and Drillmark besides, finds wrong with an experiment.

Runs in a child process, because checking imports the experiment's modules. Must never perform an activity.
"""

from __future__ import annotations

import copy
import importlib
import logging
import os
from typing import TYPE_CHECKING, Any

from chaoslib.activity import ensure_activity_is_valid
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.hypothesis import ensure_hypothesis_tolerance_is_valid

from drillmark.chaos import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


def problems(experiment: Any) -> list[str]:
    """All that makes an experiment unfit to be run, each said once. Environment variables may be missing as yet."""
    if not isinstance(experiment, dict):
        return ["an experiment is a mapping"]
    _stand_in_for_the_environment(experiment)
    found = list(layout.shape_problems(experiment))
    if found:
        return found
    found += layout.dry_problems(experiment)
    found += layout.literal_problems(experiment.get("secrets"))
    for activity in layout.activities(experiment):
        found += _of(ensure_activity_is_valid, activity)
        if "tolerance" in activity:
            found += _of(ensure_hypothesis_tolerance_is_valid, activity["tolerance"])
    found += layout.dangling_problems(experiment)
    found += control_problems([experiment, experiment.get("steady-state-hypothesis") or {}, *_all(experiment)])
    found += _of(ensure_experiment_is_valid, experiment)
    return list(dict.fromkeys(found))


def activity_problems(activity: dict[str, Any]) -> list[str]:
    """All that Chaos Toolkit finds wrong with a single activity."""
    found = _of(ensure_activity_is_valid, activity)
    if "tolerance" in activity:
        found += _of(ensure_hypothesis_tolerance_is_valid, activity["tolerance"])
    return found + layout.dry_problems({"method": [activity]}) + control_problems([activity])


def control_problems(holders: Iterable[Mapping[str, Any]]) -> list[str]:
    """Controls that cannot load. chaoslib drops them in silence, and with them whatever they were to prevent."""
    found: list[str] = []
    for control in (control for holder in holders for control in holder.get("controls") or ()):
        provider = control.get("provider")
        if "ref" in control and provider is None:
            continue
        name = control.get("name", "?")
        if not isinstance(provider, dict) or provider.get("type") != "python":
            found.append(f"the control '{name}' has no python provider, so it would never be applied")
            continue
        try:
            importlib.import_module(str(provider.get("module")))
        except Exception as error:  # noqa: BLE001 - importing runs foreign code
            found.append(f"the control '{name}' cannot be loaded: {type(error).__name__}: {error}")
    return found


def _of(check: Callable[[Any], Any], subject: Any) -> list[str]:
    logging.getLogger("chaostoolkit").setLevel(logging.ERROR)
    try:
        check(copy.deepcopy(subject))
    except ChaosException as error:
        return [str(error)]
    except Exception as error:  # noqa: BLE001 - on unexpected shapes chaoslib raises TypeError, KeyError and others
        name = subject.get("name", "") if isinstance(subject, dict) else ""
        return [f"chaos toolkit cannot read '{name}': {type(error).__name__}: {error}"]
    return []


def _all(experiment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from layout.activities(experiment)


def _stand_in_for_the_environment(experiment: dict[str, Any]) -> None:
    # A variable that only the run itself will set is not an error of the file.
    for name, kind in layout.environment_references(experiment):
        os.environ.setdefault(name, "0" if kind in ("int", "integer", "float", "number", "json") else "unset")
