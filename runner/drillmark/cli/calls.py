"""What an activity calls, in one line that a reviewer can read: a command line, a request, a function.

Must never show a secret: what is named like one, and what stands in an address as a password, is left out.
"""

from __future__ import annotations

import shlex
from typing import Any

from drillmark.chaos.redact import MASK, is_secret_name
from drillmark.cli.failures import scrub


def called(activity: dict[str, Any]) -> str:
    """`sh -c 'mv a b'`, `POST http://...`, `module.func(argument=value)`; a `ref` is told by its name."""
    provider = activity.get("provider")
    if not isinstance(provider, dict):
        return str(activity.get("ref") or "?")
    arguments = provider.get("arguments") or {}
    kind = provider.get("type")
    if kind == "python":
        told = ", ".join(f"{name}={_value(str(name), value)}" for name, value in dict(arguments).items())
        return scrub(f"{provider.get('module')}.{provider.get('func')}({told})")
    if kind == "http":
        return scrub(f"{provider.get('method', 'GET')} {provider.get('url')}")
    return scrub(_command_line([str(provider.get("path")), *_words(arguments)]))


def _words(arguments: Any) -> list[str]:
    """The arguments as Chaos Toolkit hands them over: a text is split by the shell's rules, a mapping is flattened."""
    if isinstance(arguments, dict):
        return [str(part) for pair in arguments.items() for part in pair if part not in (None, "")]
    if isinstance(arguments, list):
        return [str(part) for part in arguments]
    try:
        return shlex.split(str(arguments))
    except ValueError:
        return [str(arguments)]


def _command_line(words: list[str]) -> str:
    shown = [
        _value(before, word) if before.startswith("-") and "=" not in before else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    return " ".join(word if word == MASK or "${" in word else shlex.quote(word) for word in shown)


def _value(name: str, value: Any) -> Any:
    """A placeholder (`${password}`) is no secret; it says where one comes from."""
    return MASK if is_secret_name(name) and "${" not in str(value) else value
