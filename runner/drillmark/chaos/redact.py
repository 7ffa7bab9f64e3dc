"""Takes secret values out of everything that is about to be stored or shown.

Values are found by what they are, not by where they stand: an exception's text, an HTTP header and a log line can
each carry a password. Must never be the place where a secret's value is written anywhere.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK = "[redacted]"

# A shorter one would be found in every second word; it is taken out only where it stands alone.
SHORTEST_WITHIN_TEXT = 4
# Values that nobody declared a secret, known by their names alone, must not blot out "true" or "5432".
SHORTEST_BY_NAME = 6

_SHORTEST_IN_BASE64 = 6  # what is left of a shorter one, without the bits of its neighbours, says little

SECRET_NAME = re.compile(
    r"password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|credential", re.IGNORECASE
)
_DSN_PASSWORD = re.compile(
    r"""(?:^|[\s;,])(?:password|pwd|passwd|sslpassword)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s;,]+)""", re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Whether a variable or key of this name commonly holds a secret."""
    return SECRET_NAME.search(name) is not None


def collect(secrets: Any) -> frozenset[str]:
    """All values within resolved secrets (a mapping, a list, a scalar; any depth), as texts.

    Passwords within a connection string or URL count on their own, because drivers print those parts alone.
    """
    found: set[str] = set()
    _collect(secrets, found)
    return frozenset(found)


def collect_references(secrets: Any, environment: Mapping[str, str]) -> frozenset[str]:
    """The values that an unresolved `secrets` block names: written out, or in the environment."""
    if isinstance(secrets, dict):
        if secrets.get("type") == "env":
            return collect(environment.get(str(secrets.get("key", ""))))
        if secrets.get("type") == "vault":
            return frozenset()
        return frozenset[str]().union(*(collect_references(value, environment) for value in secrets.values()))
    return collect(secrets)


def collect_by_name(values: Mapping[str, Any]) -> frozenset[str]:
    """The values whose names are those of secrets (environment, configuration)."""
    texts = {value for name, value in values.items() if isinstance(value, str) and is_secret_name(name)}
    return frozenset[str]().union(*(collect(text) for text in texts if len(text) >= SHORTEST_BY_NAME))


def redact(value: Any, secrets: Iterable[str]) -> Any:
    """The same value with every secret in it masked: keys, texts, numbers, at any depth."""
    return Redactor(secrets).value(value)


class Redactor:
    """Masks a growing set of secret values."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Know more secrets from here on."""
        new = {secret for secret in secrets if secret} - self._secrets
        if not new:
            return
        self._secrets |= new
        forms = {form for secret in self._secrets for form in _forms(secret)}
        longest_first = sorted((form for form in forms if len(form) >= SHORTEST_WITHIN_TEXT), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        if text in self._secrets:
            return MASK
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """The JSON value with every secret masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key) if isinstance(key, str) else key: self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and str(value) in self._secrets:
            return MASK
        return value


def _collect(value: Any, found: set[str]) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, found)
    elif isinstance(value, bytes):
        _collect(value.decode("utf-8", "replace"), found)
    elif isinstance(value, str) and value.strip():
        found.update((value, value.strip()))
        found.update(_parts(value))
    elif isinstance(value, int | float) and not isinstance(value, bool) and len(str(value)) >= SHORTEST_WITHIN_TEXT:
        found.add(str(value))


def _parts(text: str) -> set[str]:
    parts = {match.strip("'") for match in _DSN_PASSWORD.findall(text)}
    try:
        parts.add(urlsplit(text).password or "")
    except ValueError:  # not a URL
        parts.discard("")
    lines = text.splitlines()
    if len(lines) > 1:  # a private key: loggers indent and cut it by lines
        parts.update(line.strip() for line in lines if len(line.strip()) >= SHORTEST_BY_NAME)
    return {part for part in parts if len(part) >= SHORTEST_WITHIN_TEXT}


def _forms(secret: str) -> set[str]:
    """How a value looks after the encodings that it commonly passes through."""
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        shlex.quote(secret),
    }
    if len(secret) >= _SHORTEST_IN_BASE64:
        forms |= _base64_forms(secret.encode("utf-8", "surrogateescape"))
    return forms


def _base64_forms(secret: bytes) -> set[str]:
    """What base64 shows of a value that stands anywhere in a longer text (`user:password`)."""
    forms: set[str] = set()
    for before in range(3):
        start = -(-before * 8 // 6)  # characters that also hold bits of what stands before
        end = (before + len(secret)) * 8 // 6  # further ones also hold bits of what stands after
        padded = b"\0" * before + secret
        forms.add(base64.b64encode(padded).decode("ascii")[start:end])
        forms.add(base64.urlsafe_b64encode(padded).decode("ascii")[start:end])
    return forms
