"""The listing that a simulated disaster freezes: a small JSON file, written durably, read with its own hash.

What stands in it is `frozen`'s (backups and log) and `frozen_dump`'s (one dump). Must never read what is listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from drillmark import files
from drillmark.errors import RecoveryError

_CHUNK_BYTES = 1 << 20
_HINT = "`source` takes ${drillmark_source}: the listing that was made when the disaster was declared"
T = TypeVar("T")


def write(listing: Path, body: dict[str, Any]) -> None:
    """Write a listing, whole or not at all. Raises OSError."""
    files.write_durably(listing, json.dumps(body, indent=1, sort_keys=True))


def read(listing: str | Path, form: str, what: str, made: Callable[[dict[str, Any], str], T]) -> T:
    """What `made` makes of a listing of that form and of its SHA-256.

    Raises RecoveryError where the file is no listing of `what`: `made` says so by a ValueError, KeyError, TypeError or
    AttributeError.
    """
    path = Path(listing)
    try:
        raw = path.read_bytes()
        body = json.loads(raw)
        if body["format"] != form:
            raise ValueError(f"format {body['format']!r} instead of {form!r}")
        return made(body, hashlib.sha256(raw).hexdigest())
    except OSError as error:
        raise RecoveryError(f"cannot read the listing {path}: {error.strerror}", hint=_HINT) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecoveryError(f"{path} is no listing of {what}: {error}", hint=_HINT) from error


def sha256(path: Path) -> str:
    """The hash of a file, read piece by piece. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
