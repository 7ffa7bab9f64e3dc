"""The nearest valid name for one that is not: what a person probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 24


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that is most like this one, or None where none is like it."""
    by_lower = {candidate.lower(): candidate for candidate in allowed}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def hint_for(name: str, allowed: Iterable[str], *, what: str = "allowed") -> str:
    """A hint: `did you mean ...?` and what is allowed."""
    names = list(allowed)
    meant = nearest(name, names)
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    listed = f"{what}: {shown}" if names else f"{what}: none"
    return f"did you mean `{meant}`? {listed}" if meant else listed
