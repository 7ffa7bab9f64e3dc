"""A control for the conformance set that does, at the point that it is told, what it is told.

`at` is a point such as `before activity` or `after method`, with the activity's name behind it where only that one is
meant; `do` is one of `_DEEDS`. Every call is noted, and `after experiment` hands the notes out in the journal.
"""

from __future__ import annotations

import sys
from typing import Any

from chaoslib.exceptions import ActivityFailed, InterruptExecution
from chaoslib.run import RunEventHandler

_notes: list[str] = []


def _veto(*_: Any) -> None:
    raise InterruptExecution("vetoed")


def _raise(*_: Any) -> None:
    raise ValueError("a control that is broken")


def _fail(*_: Any) -> None:
    raise ActivityFailed("a control that fails")


def _leave(*_: Any) -> None:
    sys.exit(4)


def _leave_ungracefully(*_: Any) -> None:
    sys.exit(30)


def _change_output(_context: Any, state: Any) -> None:
    state["output"] = "changed by a control"


def _change_status(_context: Any, state: Any) -> None:
    state["status"] = "failed"


def _change_arguments(context: Any, _state: Any) -> None:
    context["provider"]["arguments"]["value"] = "changed by a control"


def _meet(_context: Any, state: Any) -> None:
    state["steady_state_met"] = True


_DEEDS = {
    "arguments": _change_arguments,
    "fail": _fail,
    "leave": _leave,
    "leave ungracefully": _leave_ungracefully,
    "meet": _meet,
    "output": _change_output,
    "raise": _raise,
    "status": _change_status,
    "veto": _veto,
}


def _called(point: str, context: Any, state: Any, at: str, do: str, tag: str) -> None:
    name = context.get("name") or "" if isinstance(context, dict) else ""
    _notes.append(" ".join(filter(None, [tag, point, name])))
    if do and at in (point, f"{point} {name}"):
        _DEEDS[do](context, state)


class _Noting(RunEventHandler):
    def start_method(self, *_: Any) -> None:
        _notes.append("event: method")

    def start_rollbacks(self, *_: Any) -> None:
        _notes.append("event: rollbacks")

    def start_activity(self, activity: Any) -> None:
        _notes.append(f"event: {activity['name']}")


def configure_control(
    at: str = "", do: str = "", tag: str = "", configure: str = "", event_registry: Any = None, **_: Any
) -> None:
    _notes.append(" ".join(filter(None, [tag, "configured"])))
    if configure == "listen":
        event_registry.register(_Noting())


def before_experiment_control(context: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("before experiment", context, None, at, do, tag)


def after_experiment_control(context: Any, state: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("after experiment", context, state, at, do, tag)
    if state["run"]:
        state["run"][0]["output"] = list(_notes)


def before_hypothesis_control(context: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("before hypothesis", context, None, at, do, tag)


def after_hypothesis_control(context: Any, state: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("after hypothesis", context, state, at, do, tag)


def before_method_control(context: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("before method", context, None, at, do, tag)


def after_method_control(context: Any, state: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("after method", context, state, at, do, tag)


def before_rollback_control(context: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("before rollback", context, None, at, do, tag)


def after_rollback_control(context: Any, state: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("after rollback", context, state, at, do, tag)


def before_activity_control(context: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("before activity", context, None, at, do, tag)


def after_activity_control(context: Any, state: Any, at: str = "", do: str = "", tag: str = "", **_: Any) -> None:
    _called("after activity", context, state, at, do, tag)
