"""Hostile input for fuzzing: texts and values that were right once, and what an enemy or a bad disk makes of them."""

from __future__ import annotations

import copy
import random
import unicodedata
from typing import Any

NASTY_TEXTS = [
    "", " ", "\x00", "\x1b[2J\x1b]0;owned\x07", "\r\nfake line", "\u202egnp.exe", "\u2028", "\ufeff", "../../../etc/passwd",
    "/etc/passwd", "~/.ssh/id_rsa", "file:///etc/passwd", "${HOME}", "$(touch owned)", "`touch owned`", "{{ 7 * 7 }}",
    "<script>alert(1)</script>", "]]>", "| ](javascript:x)", "!!python/object/apply:os.system [touch owned]",
    "12:00", "on", "1e999", "-1s", "9" * 400, "x" * 5000, "\ud800", "é" * 300, "NaN", "null", "a" + "\u0301" * 50,
]  # fmt: skip
NASTY_VALUES: list[Any] = [
    None, True, False, 0, -1, 2**63, 2**70, -(10**30), 1e308, float("inf"), float("-inf"), float("nan"), [], {}, [[]],
    {"": ""}, {"ref": "x"}, {"ref": {"ref": []}}, [None] * 3, {"type": "env"}, {"monotonic_ns": "x"}, "succeeded",
]  # fmt: skip
NASTY_BYTES = [
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[2J", b"\n", b"---\n", b"&a ", b"*a", b"!!python/name:os.system ",
    b"<<: *a\n", b"{", b"[", b"]", b"}", b": ", b"- ", b"\t", b'"', b"'", b"9" * 200, b"\xc3", b"\r", b"%YAML 9.9\n",
    b"Infinity", b"NaN", b"1e999", b"null", b"-0", b"\\ud800", b"[" * 200,
]  # fmt: skip


def mangled(data: bytes, chance: random.Random) -> bytes:
    """The bytes after some accidents: torn, flipped, repeated, with something slipped in."""
    body = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4, 12])):
        at, end = sorted(chance.randint(0, len(body)) for _ in range(2))
        end = min(end, at + 200)
        match chance.randrange(6):
            case 0:
                del body[at:end]
            case 1:
                body[at:at] = chance.choice(NASTY_BYTES)
            case 2 if body:
                body[min(at, len(body) - 1)] = chance.randrange(256)
            case 3:
                body[at:at] = body[at:end]
            case 4 if chance.random() < 0.3:
                del body[at:]
            case _:
                body[at:end] = chance.choice(NASTY_BYTES)
    return bytes(body)


def spoiled(value: Any, chance: random.Random) -> Any:
    """A document in which some values are something else altogether, are gone, or are there twice."""
    whole = copy.deepcopy(value)
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        holders = list(_holders(whole))
        if not holders:
            return nasty(chance)
        holder, key = chance.choice(holders)
        match chance.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[chance.choice(NASTY_TEXTS)] = holder[key]
            case 1:
                holder.insert(0, holder[key])
            case 2:
                holder[key] = {"inside": holder[key]}
            case _:
                holder[key] = nasty(chance)
    return whole


def nasty(chance: random.Random) -> Any:
    """Something that nobody expects there."""
    if chance.random() < 0.05:
        deep: Any = "deep"
        for _ in range(chance.choice([10, 70, 300])):
            deep = [deep]
        return deep
    return copy.deepcopy(chance.choice([chance.choice(NASTY_TEXTS), chance.choice(NASTY_VALUES)]))


def _holders(value: Any):
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _holders(value[key])


def harmful(text: str) -> list[str]:
    """What a terminal would obey, or an eye would be fooled by; line ends are no harm."""
    return sorted(
        {
            repr(character)
            for character in text
            if (unicodedata.category(character) in ("Cc", "Cs") and character != "\n")
            or character in "\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
        }
    )
