"""What a figure rests on, as `drillmark show --why` tells it: formula, filled in, terms, entries, samples."""

from __future__ import annotations

from typing import Any

_MOST_TERMS = 60


def why(cited: dict[str, Any] | None) -> dict[str, Any] | None:
    """The evidence in the order in which it is read; None where nothing is cited."""
    if not cited or not (cited["formula"] or cited["entries"] or cited["samples"] or cited["terms"]):
        return None
    return {
        "formula": cited["formula"],
        "filled_in": cited["filled_in"],
        "terms": [(name, value_words(value)) for name, value in list(cited["terms"].items())[:_MOST_TERMS]],
        "entries": list(cited["entries"]),
        "samples": list(cited["samples"]),
    }


def value_words(value: Any) -> str:
    """A term as `show --why` prints it."""
    if isinstance(value, dict) and set(value) == {"lo", "hi"}:
        upper = "unbounded" if value["hi"] is None else value_words(value["hi"])
        return f"{value_words(value['lo'])} to {upper}"
    if value is None:
        return "none"
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
