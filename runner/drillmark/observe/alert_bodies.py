"""What alerts a request's body holds: Alertmanager's webhook, Prometheus' own list, or plain JSON. Pure.

Bodies come from outside and may be hostile: everything is bounded (bytes, depth, alerts, labels, characters) and
control characters are taken out before anything is stored. Must never take a body that it cannot read for an alert.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

LIMIT_BYTES = 1 << 20
LIMIT_ALERTS = 200
LIMIT_LABELS = 64
LIMIT_CHARACTERS = 200
LIMIT_DEPTH = 32
FIRING, RESOLVED = "firing", "resolved"

_NS_IN_SECOND = 1_000_000_000
_NS_IN_MICROSECOND = 1_000
_FIRST_YEAR = 2000  # Go writes a time that is not set as the year 1
# Names that say something of the alert itself, in a plain body, and are no labels.
_PLAIN_WORDS = ("status", "startsAt", "endsAt", "annotations", "generatorURL", "fingerprint")


class BodyError(Exception):
    """The body is no alert. The text is short and safe to show."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a body. `starts_at_ns`: wall clock of whoever raised it; None: not said."""

    status: str
    labels: dict[str, str] = field(default_factory=dict[str, str])
    starts_at_ns: int | None = None


def parse(body: bytes, *, now_ns: int) -> list[Alert]:
    """The alerts in a body. `now_ns` (wall) tells a Prometheus alert that ended. Raises BodyError."""
    if len(body) > LIMIT_BYTES:
        raise BodyError(f"the body is larger than {LIMIT_BYTES} bytes")
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BodyError(f"the body is no JSON: {_words(str(error), 80)}") from None
    if _deeper_than(value, LIMIT_DEPTH):
        raise BodyError(f"the body is nested more than {LIMIT_DEPTH} deep")
    items = _items(value)
    if not items or len(items) > LIMIT_ALERTS:
        raise BodyError(f"the body holds {len(items)} alerts; 1 to {LIMIT_ALERTS} are read")
    return [_alert(item, now_ns) for item in items]


def matches(alert: Alert, wanted: dict[str, str]) -> bool:
    """Whether it carries all the labels that are wanted."""
    return all(alert.labels.get(_words(name)) == _words(value) for name, value in wanted.items())


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return cast("list[Any]", value)
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value).get("alerts")
        return cast("list[Any]", found) if isinstance(found, list) else [cast("dict[str, Any]", value)]
    raise BodyError("the body is neither an object nor a list of objects")


def _alert(item: Any, now_ns: int) -> Alert:
    if not isinstance(item, dict):
        raise BodyError("an alert is no object")
    told = cast("dict[str, Any]", item)
    labels = told.get("labels")
    if labels is None:
        labels = {name: value for name, value in told.items() if name not in _PLAIN_WORDS}
    if not isinstance(labels, dict):
        raise BodyError("the labels of an alert are no object")
    plain = {
        _words(str(name)): _words(str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in cast("dict[Any, Any]", labels).items()
        if isinstance(value, str | int | float | bool)
    }
    if not plain or len(plain) > LIMIT_LABELS:
        raise BodyError(f"an alert has {len(plain)} labels; 1 to {LIMIT_LABELS} are read")
    return Alert(_status(told, now_ns), plain, _wall_ns(told.get("startsAt")))


def _status(told: dict[str, Any], now_ns: int) -> str:
    status = told.get("status")
    if status is None:
        # Prometheus sends no status: an alert that is over has its end behind it.
        ends_ns = _wall_ns(told.get("endsAt"))
        return RESOLVED if ends_ns is not None and ends_ns <= now_ns else FIRING
    if status not in (FIRING, RESOLVED):
        raise BodyError(f"the status of an alert is {_words(str(status), 40)!r}, not firing or resolved")
    return str(status)


def _wall_ns(value: Any) -> int | None:
    if not isinstance(value, str) or len(value) > LIMIT_CHARACTERS:
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    if moment.year < _FIRST_YEAR:
        return None
    return (since.days * 86_400 + since.seconds) * _NS_IN_SECOND + since.microseconds * _NS_IN_MICROSECOND


def _words(text: str, limit: int = LIMIT_CHARACTERS) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:limit])


def _deeper_than(value: Any, limit: int) -> bool:
    # Without recursion: the body decides how deep it is.
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (cast("dict[str, Any]", each).values() if isinstance(each, dict) else cast("list[Any]", each))
        ]
        if not level:
            return False
    return True
