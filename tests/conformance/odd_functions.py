"""Activities for the conformance set: what is odd in arguments, values and ends. Imported in child processes."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from chaoslib.exceptions import ActivityFailed, ChaosException, InterruptExecution

PATIENCE_SECONDS = 60.0
_RAISED = {
    "activity failed": ActivityFailed("gave up"),
    "assertion": AssertionError("it is not so"),
    "chaos": ChaosException("chaos"),
    "group": ExceptionGroup("two", [ValueError("one"), KeyError("other")]),
    "interrupt": InterruptExecution("stop it"),
    "key": KeyError("absent"),
    "keyboard": KeyboardInterrupt(),
    "lines": ValueError("first\nsecond\nthird"),
    "memory": MemoryError(),
    "nothing": ValueError(),
    "os": FileNotFoundError(2, "No such file or directory", "/nowhere"),
    "stop": StopIteration("here"),
    "timeout": TimeoutError("too long"),
    "unicode": ValueError("gr\u00fc\u00dfe \u2620"),
}


class OddError(Exception):
    """An exception that cannot even say its text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def throw(what: str) -> None:
    raise _RAISED[what]


def throw_odd() -> None:
    raise OddError


def throw_chained() -> None:
    try:
        raise KeyError("the cause")
    except KeyError as cause:
        raise ValueError("the effect") from cause


def dive(depth: int = 0) -> int:
    return dive(depth + 1)


def leave_saying(text: str) -> None:
    sys.exit(text)


def value_of(kind: str) -> Any:
    return {
        "bytes": b"raw",
        "complex": 3 + 4j,
        "date": dt.date(2026, 2, 3),
        "decimal": decimal.Decimal("1.50"),
        "keys": {1: "one", 2.5: "two and a half", None: "nothing", False: "no"},
        "moment": dt.datetime(2026, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
        "nan": [float("nan"), float("inf"), -float("inf")],
        "set": {1},
        "surrogate": "lone \ud800 half",
        "tuple": (1, (2, 3)),
        "uuid": uuid.UUID(int=7),
    }[kind]


def take(*values: Any, **named: Any) -> Any:
    return {"values": list(values), "named": named}


def kinds(value: Any) -> list[list[Any]]:
    """The values with the names of their types, so that 5 and "5" do not look alike."""
    return [[type(item).__name__, item if not isinstance(item, bytes) else item.hex()] for item in value]


def handed(configuration: dict[str, Any] | None = None, secrets: dict[str, Any] | None = None) -> dict[str, Any]:
    lengths = {name: len(str(value)) for name, value in (secrets or {}).items()}
    shown = {name: value for name, value in (configuration or {}).items() if name != "place"}
    return {"configuration": shown, "secrets": lengths}


def change_configuration(key: str, value: Any, configuration: dict[str, Any]) -> None:
    configuration[key] = value


def set_variable(name: str, value: str) -> None:
    os.environ[name] = value


def move(path: str) -> None:
    os.chdir(path)


def there_then_tell(path: str, mark: str) -> bool:
    """Whether the path is there; if so, a mark is left for `wait_for`."""
    there = Path(path).exists()
    if there:
        Path(mark).touch()
    return there


def wait_for(path: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not Path(path).exists():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
    return "came"


def count(path: str) -> int:
    """How often it was called."""
    with Path(path).open("a") as file:
        file.write("x")
    return Path(path).stat().st_size


def even(value: Any) -> bool:
    return int(value) % 2 == 0


def not_called_activity() -> str:
    return "called all the same"


not_a_function = 7
