"""A control that asks for all that Chaos Toolkit hands to controls, and changes what it may."""

from __future__ import annotations

from typing import Any

from chaoslib.exceptions import InvalidActivity

_seen: dict[str, Any] = {}


def validate_control(control: dict[str, Any]) -> None:
    if control["provider"].get("arguments", {}).get("wish") == "invalid":
        raise InvalidActivity("this control does not like itself")


def configure_control(experiment: Any, configuration: Any, secrets: Any, settings: Any = None, wish: str = "") -> None:
    _seen["configured"] = [experiment["title"], sorted(configuration), sorted(secrets or {})]
    if wish == "refuse":
        raise RuntimeError("this control cannot be configured")
    if wish == "configuration":
        configuration["added"] = "by a control"


def before_activity_control(
    context: Any,
    experiment: Any,
    configuration: Any,
    secrets: Any,
    extensions: Any = None,
    settings: Any = None,
    wish: str = "",
) -> None:
    _seen["before"] = [wish, sorted(configuration), sorted(secrets or {}), extensions]


def after_activity_control(context: Any, state: Any, experiment: Any, wish: str = "") -> None:
    if wish != "configuration":
        state["output"] = dict(_seen)


def cleanup_control() -> None:
    if _seen.get("configured", [""])[0] == "A control cannot clean up":
        raise RuntimeError("this control cannot clean up")
