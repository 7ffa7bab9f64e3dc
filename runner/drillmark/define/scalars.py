"""What a plain YAML scalar means by the core rules of YAML 1.2, and nothing more.

`12:00`, `on`, `yes`, `2026-12-20` and `0777` stay what a person reads: text (or, the last one, the number 777).
"""

from __future__ import annotations

import math
import re

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 40


class ScalarError(ValueError):
    """A scalar that is a number by the rules, and one that no JSON document can hold."""


def resolve(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar. Raises `ScalarError` for infinity, not-a-number and absurdly long numbers."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError("infinity and not-a-number are not values that a definition can hold")
    if not (text[0].isdigit() or text[0] in "-+."):
        return text
    for pattern, base in ((_INT, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(text):
            _check_length(text)
            return int(text.removeprefix("0o").removeprefix("0x") if base != 10 else text, base)  # noqa: PLR2004
    if _FLOAT.fullmatch(text):
        _check_length(text)
        value = float(text)
        if math.isinf(value):
            raise ScalarError("the number is too large")
        return value
    return text


def _check_length(text: str) -> None:
    if len(text) > _LONGEST_NUMBER:
        raise ScalarError(f"a number of {len(text)} characters is too long")
