"""What all definitions share: strict models, and errors that carry a hint.

Strict: unknown keys are errors, text is not made into numbers, a key without a value is an error.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

WRONG = "drillmark"


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """An error in Drillmark's own words, for a validator to raise."""
    return PydanticCustomError(WRONG, "{message}", {"message": message, "hint": hint})


def show(value: object) -> str:
    """A value as it is told back to the person who wrote it, cut to a readable length."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value if len(value) <= 60 else value[:57] + "..."}"'  # noqa: PLR2004
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return str(value)


class Strict(BaseModel):
    """Base of what Drillmark itself defines."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _has_value(cls, value: Any) -> Any:
        if value is None:
            raise wrong("this key has no value", "give it one, or take the key away")
        return value


class Lenient(Strict):
    """Base of what Chaos Toolkit defines: it lets unknown keys pass, and so do we, with a warning."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


Level = Literal["low", "medium", "high"]

ONE, SEVERAL = "<one>", "<several>"


def one_or_several(value: Any) -> str:
    """The tag of what may be written as one mapping or as a list of them."""
    return SEVERAL if isinstance(value, list) else ONE
