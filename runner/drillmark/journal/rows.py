"""Rows of entries as the stores hold them, and how one sees later that they have not changed. Pure."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator
from typing import Protocol

Row = tuple[int, str, int, str, str, str, str, str]

# Without references to what was written before: the same row makes the same bytes wherever it stands.
_MARSHAL = 2


class Digest(Protocol):
    """One of hashlib's."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""
        ...

    def hexdigest(self) -> str:
        """What came of it."""
        ...


def hashed(rows: Iterable[Row], digest: Digest | None) -> Iterator[Row]:
    """The same rows; on their way the digest takes each in, in a form that no other row has."""
    if digest is None:
        yield from rows
        return
    for row in rows:
        digest.update(marshal.dumps(row, _MARSHAL))
        yield row
