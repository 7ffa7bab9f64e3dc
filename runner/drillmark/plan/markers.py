"""The marker writers of a plan: the target's own, what the drill lays over them, and what it adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from drillmark.define.marker_models import Markers
from drillmark.define.markers import DEFAULT_STORE
from drillmark.errors import InvalidDefinitionError, Problem
from drillmark.model.planned import PlannedMarkers

T = TypeVar("T")
HTTP_EVERY_SECONDS = 0.05
_METHODS = {"insert": "POST", "update": "PUT", "delete": "DELETE", "read": "GET"}


def marker_writers(
    own: Markers | list[Markers] | None, laid_over: Markers | list[Markers] | None, source: str
) -> tuple[PlannedMarkers, ...]:
    """The target's marker writers with what the drill says of them, and those that it adds."""
    writers: dict[str, list[Markers]] = {one.name or one.store or DEFAULT_STORE: [one] for one in _each(own)}
    for over in _each(laid_over):
        only = next(iter(writers)) if len(writers) == 1 else None
        label = over.name or only or over.store or DEFAULT_STORE
        writers[label] = [over, *writers.get(label, [])]
    # The first that nobody gave a name has plain files, as the only one has.
    unnamed = next((label for label, layers in writers.items() if not any(one.name for one in layers)), None)
    return tuple(_writer("" if label == unnamed else label, layers, source) for label, layers in writers.items())


def _writer(name: str, layers: Sequence[Markers], source: str) -> PlannedMarkers:
    """One writer: of several values the one that is laid uppermost."""

    def uppermost(key: str) -> Any:
        return next((value for layer in layers if (value := getattr(layer, key)) is not None), None)

    store = uppermost("store") or DEFAULT_STORE
    requests = {key: value for key in _METHODS if (value := uppermost(key)) is not None}
    if store == "postgres" and uppermost("secrets") is None:
        raise InvalidDefinitionError([Problem(source, 0, 0, "the markers have no `secrets`")])
    if store == "http" and not {"insert", "read"} <= requests.keys():
        raise InvalidDefinitionError([Problem(source, 0, 0, "the markers need requests to `insert` and to `read`")])
    stated: dict[str, Any] = {
        "every_seconds": uppermost("every") or (HTTP_EVERY_SECONDS if store == "http" else None),
        "writers": uppermost("writers"),
        "changes": uppermost("changes"),
        "side_secrets": uppermost("side"),
        "timeout_seconds": uppermost("timeout"),
        "verify_tls": uppermost("verify_tls"),
    }
    given: dict[str, Any] = {key: value for key, value in stated.items() if value is not None}
    told = {key: {"method": _METHODS[key]} | value.model_dump(exclude_unset=True) for key, value in requests.items()}
    return PlannedMarkers(name=name, store=store, secrets=uppermost("secrets"), requests=told, **given)


def _each(value: T | list[T] | None) -> list[T]:
    return value if isinstance(value, list) else [] if value is None else [value]
