"""Which secrets something may use: what it does not name need not be there.

A workspace has targets whose secrets are known in different places; a drill of one runs without those of another.
Pure. When in doubt a secret is needed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def needed(secrets: Mapping[str, Any], users: Iterable[Any]) -> set[str]:
    """The blocks of `secrets` that `users` (activities, configuration: JSON) may use.

    One is used by its name, or by `${key}` for one of its keys. Controls are handed all of them.
    """
    text = json.dumps(list(users), ensure_ascii=False, default=str)
    return {name for name, block in secrets.items() if '"controls"' in text or _is_named(name, block, text)}


def _is_named(name: str, block: Any, text: str) -> bool:
    keys = [name, *(block if isinstance(block, dict) else ())]
    return json.dumps(name, ensure_ascii=False) in text or any(f"${{{key}" in text or f"${key}" in text for key in keys)
