"""Runs single activities through chaoslib, in the worker process.

Semantics are chaoslib's own: its `execute_activity`, its tolerances. What chaoslib lets pass in silence (a control that
cannot load, a dynamic configuration whose probe failed) is a failure here. Imported in the worker process alone.
"""

from __future__ import annotations

import copy
import json
import traceback
from typing import TYPE_CHECKING, Any

import chaoslib.activity
from chaoslib import substitute
from chaoslib.hypothesis import within_tolerance

from drillmark import clock
from drillmark.chaos import bare, checks, resolved, settle, tracing
from drillmark.chaos.inside import announce
from drillmark.chaos.values import cut, failure_text, jsonable, no_answer, provider_failure

if TYPE_CHECKING:
    from drillmark.chaos.redact import Redactor


# Any: chaoslib's annotations leave out the None that its own callers pass
_execute_activity: Any = chaoslib.activity.execute_activity


class Performer:
    """Answers the worker's requests.

    `hello`: run_dir, configuration, secrets, variables, and `lenient`: run activities although some configuration or
    secret could not be loaded (undos, which must be tried in any case).
    """

    def __init__(self, hello: dict[str, Any], redactor: Redactor) -> None:
        self._hello = hello
        self._redactor = redactor
        self._settled: dict[str, settle.Settled] = {}
        self._extra = bare.Extra()
        self._extra_problems: list[str] = []
        try:
            self._extra = bare.read_extra([], hello.get("var_files") or [])
            if hello.get("secrets_file"):
                hello["secrets"] = bare.read_secrets(hello["secrets_file"])
        except bare.UnloadableError as error:
            self._extra_problems.append(redactor.text(str(error)))

    def now(self) -> dict[str, Any]:
        """A stamp, as JSON."""
        return clock.now().as_json()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks for. Raises whatever an activity raises past chaoslib."""
        match request["op"]:
            case "run":
                return self._run(request)
            case "resolve":
                return resolved.resolve(request["experiment"], request["variables"], self._redactor)
            case "check":
                return _found(self._redactor.value(checks.problems(request["experiment"])))
            case "check_activity":
                return _found(self._redactor.value(checks.activity_problems(request["checked"])))
            case other:
                return {"status": "failed", "error": f"the worker knows no '{other}'"}

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        activity, variables = request["activity"], request["variables"]
        announce(self._hello["run_dir"], variables, request["attempt"])
        activity = tracing.hand_on(activity, request.get("traceparent", ""))
        settled = self._settle(request.get("configuration"), request.get("secrets"), variables)
        declared = self._hello["secrets"] if request.get("secrets") is None else request["secrets"]
        problems = [*settled.problems_for(activity, declared), *checks.control_problems([activity])]
        if self._hello.get("lenient"):
            problems = []
        if problems:
            return {"status": "failed", "error": self._redactor.text("; ".join(problems))}
        return self._perform(activity, settled.configuration, settled.secrets)

    def _settle(
        self, configuration: dict[str, Any] | None, secrets: dict[str, Any] | None, variables: dict[str, Any]
    ) -> settle.Settled:
        blocks = (
            self._hello["configuration"] if configuration is None else configuration,
            self._hello["secrets"] if secrets is None else secrets,
        )
        # Once for each: a dynamic configuration must not change from one activity to the next.
        key = json.dumps(blocks, sort_keys=True)
        if key not in self._settled:
            self._settled[key] = settle.settle(*blocks, variables, self._redactor, self._extra)
        settled = self._settled[key]
        ours = {name: value for name, value in variables.items() if value is not None}
        problems = [*settled.problems, *self._extra_problems]
        return settle.Settled({**settled.configuration, **ours}, settled.secrets, problems, settled.absent)

    def _perform(
        self, activity: dict[str, Any], configuration: dict[str, Any], secrets: dict[str, Any]
    ) -> dict[str, Any]:
        experiment = {"title": "", "method": [activity]}
        if self._hello.get("lenient"):
            # No controls around an undo: nothing may veto it.
            activity = {key: value for key, value in activity.items() if key != "controls"}
        runs: list[dict[str, Any]] = []
        try:
            run = _execute_activity(experiment, activity, configuration, secrets, dry=None, runs=runs)
        except Exception as error:  # noqa: BLE001 - a missing program, a bad URL: chaoslib lets them out
            return self._failed(f"{type(error).__name__}: {error}")
        output = run.get("output")
        if run.get("status") != "succeeded":
            return self._failed(failure_text(run), output)
        if refusal := provider_failure(activity, output):
            return self._failed(refusal, output)
        try:
            met = _is_met(activity, output, configuration, secrets)
        except Exception as error:  # noqa: BLE001 - comparing None with a number raises; an unchecked value is not good
            reason = "".join(traceback.format_exception_only(error)).strip()
            return self._failed(f"the tolerance could not be checked: {reason}", output)
        if met is False and (nothing := no_answer(activity, output)):
            return self._failed(nothing, output)
        error = "the value is not within the tolerance" if met is False else ""
        return {"status": "succeeded", "output": self._storable(output), "tolerance_met": met, "error": error}

    def _failed(self, error: str, output: Any = None) -> dict[str, Any]:
        return {
            "status": "failed",
            "output": self._storable(output),
            "tolerance_met": None,
            "error": self._redactor.text(error),
        }

    def _storable(self, output: Any) -> Any:
        return cut(self._redactor.value(jsonable(output)))


def _is_met(
    activity: dict[str, Any], output: Any, configuration: dict[str, Any], secrets: dict[str, Any]
) -> bool | None:
    """Whether the value is within the activity's tolerance; None where it has none. Raises whatever chaoslib does."""
    tolerance = copy.deepcopy(activity.get("tolerance"))
    if tolerance is None:
        return None
    if isinstance(tolerance, str):
        tolerance = substitute(tolerance, configuration, secrets)
    return bool(within_tolerance(tolerance, output, configuration=configuration, secrets=secrets))


def _found(problems: list[str]) -> dict[str, Any]:
    return {"status": "succeeded", "output": problems, "error": ""}
