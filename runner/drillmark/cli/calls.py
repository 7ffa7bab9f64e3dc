"""What an activity calls, in one line that a reviewer can read: a command line, a request, a function.

Must not show a secret that anything names: what follows such a name is left out, and so is a whole text that holds one.
Rather too much is left out than too little; a placeholder is no secret, it says where one comes from.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from drillmark.chaos.redact import MASK, is_secret_name
from drillmark.cli.failures import scrub

_PLACEHOLDERS = re.compile(r"(?:\$\{[^}]+\})+")
_NAME = re.compile(r"-{0,2}[\w-]+")
# Of curl and its like: the word after them is, or may hold, a login.
_LOGINS = frozenset({"-u", "--user", "-H", "--header"})
_LOGIN_WORDS = re.compile(r"authorization|bearer|cookie", re.IGNORECASE)
_PASSWORD_AT_ONCE = re.compile(r"-p.+")  # mysql's and mariadb's
_DATABASES = ("mysql", "mariadb")


def called(activity: dict[str, Any]) -> str:
    """`sh -c 'mv a b'`, `POST http://...`, `module.func(argument=value)`; a `ref` is told by its name."""
    provider = activity.get("provider")
    if not isinstance(provider, dict):
        return str(activity.get("ref") or "?")
    arguments = provider.get("arguments") or {}
    kind = provider.get("type")
    if kind == "python":
        told = ", ".join(f"{name}={_value(str(name), value)}" for name, value in dict(arguments).items())
        return f"{provider.get('module')}.{provider.get('func')}({told})"
    if kind == "http":
        address, asks, _ = str(provider.get("url")).partition("?")
        return f"{provider.get('method', 'GET')} {scrub(address)}" + ("?..." if asks else "")
    path = str(provider.get("path"))
    return " ".join(_quoted(word) for word in (scrub(path), *_shown(path, _words(arguments))))


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


def _shown(path: str, words: list[str]) -> Iterator[str]:
    before = ""
    for word in words:
        if path.rpartition("/")[2].startswith(_DATABASES) and _PASSWORD_AT_ONCE.fullmatch(word):
            yield f"-p{MASK}"
        elif (_is_secret(before) or before in _LOGINS) and not _PLACEHOLDERS.fullmatch(word):
            yield MASK
        else:
            yield _word(word)
        before = word if _NAME.fullmatch(word) else ""


def _word(word: str) -> str:
    name, given, value = word.partition("=")
    if given and _NAME.fullmatch(name) and _is_secret(name):
        return word if _PLACEHOLDERS.fullmatch(value) else f"{name}={MASK}"
    return word if _NAME.fullmatch(word) else _text(word)


def _text(text: str) -> str:
    rest = _PLACEHOLDERS.sub("", text)
    return MASK if _is_secret(rest) or _LOGIN_WORDS.search(rest) else scrub(text)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _value(str(key), one) for key, one in value.items()}
    if isinstance(value, list):
        return [_value(name, one) for one in value]
    if isinstance(value, str) and _PLACEHOLDERS.fullmatch(value):
        return value
    if _is_secret(name) or _LOGIN_WORDS.search(name):
        return MASK
    return _text(value) if isinstance(value, str) else value


def _is_secret(name: str) -> bool:
    return is_secret_name(name.replace("-", "_"))


def _quoted(word: str) -> str:
    return word if MASK in word or "${" in word else shlex.quote(word)
