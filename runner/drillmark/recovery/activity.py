"""What all our Chaos Toolkit functions share: how they fail, and where they take their settings from.

An argument wins over the `configuration` block, which wins over the lab's variables in the environment.
"""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from chaoslib.exceptions import ActivityFailed

from drillmark.errors import DrillmarkError, RecoveryError

logger = logging.getLogger("drillmark")

Configuration = Mapping[str, Any] | None
Secrets = Mapping[str, Any] | None
P = ParamSpec("P")
R = TypeVar("R")

LAB = "DRILLMARK_LAB"
LAB_CONTROL = "DRILLMARK_LAB_CONTROL"


def activity(function: Callable[P, R]) -> Callable[P, R]:
    """Turn what Drillmark can name into Chaos Toolkit's `ActivityFailed`, with the hint in its text."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except DrillmarkError as error:
            text = f"{error} HINT: {error.hint}" if error.hint else str(error)
            logger.warning("%s: %s", function.__name__, text)
            raise ActivityFailed(text) from error

    return wrapped


def setting(given: Any, configuration: Configuration, name: str, variable: str = "", inside: str = "") -> str:
    """One setting as text: the argument, `configuration[name]`, or the environment; empty where there is none.

    Args:
        given: the activity's argument.
        configuration: Chaos Toolkit's block, resolved.
        name: key in it.
        variable: environment variable to fall back to.
        inside: folder inside what the variable names.
    """
    for value in (given, (configuration or {}).get(name)):
        if value:
            return str(value)
    value = os.environ.get(variable, "") if variable else ""
    return f"{value}/{inside}" if value and inside else value


def path_setting(given: Any, configuration: Configuration, name: str, inside: str) -> Path:
    """A directory, by default one of the lab's. Raises RecoveryError where nobody names it."""
    text = setting(given, configuration, f"postgres_{name}", LAB, inside)
    if not text:
        raise RecoveryError(
            f"nobody says where `{name}` is",
            hint=f"give the argument `{name}`, set `postgres_{name}` in `configuration`, or start the lab ({LAB})",
        )
    return Path(text).absolute()


def dsn_setting(given: Any, secrets: Secrets, configuration: Configuration) -> str:
    """How to connect to the store as users do: argument, `secrets.dsn`, configuration, ORDERS_DSN; else empty."""
    return str(given or (secrets or {}).get("dsn") or setting(None, configuration, "postgres_dsn", "ORDERS_DSN"))


def need_dsn(given: Any, secrets: Secrets, configuration: Configuration) -> str:
    """The same, and it must be there. Raises RecoveryError."""
    dsn = dsn_setting(given, secrets, configuration)
    if not dsn:
        raise RecoveryError(
            "nobody says how to connect", hint="give `dsn`, or name a block of `secrets` that holds `dsn`"
        )
    return dsn


def seconds(text: str | float) -> float:
    """`90`, `90s`, `15m`, `1h` or `2d` in seconds. Raises RecoveryError on anything else."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
    words = str(text).strip()
    number, unit = (words[:-1], words[-1]) if words[-1:] in units else (words, "s")
    try:
        value = float(number) * units[unit]
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise RecoveryError(f"not a duration: {text!r}", hint="write 90s, 15m, 1h or 2d")
    return value
