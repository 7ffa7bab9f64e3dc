"""Which logical dump a simulated disaster may be restored from: the newest one when it was declared, with its hash.

The description of a dump holds the checksums of its files, so its own hash stands for all of it. Must never write to
the dumps.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillmark import clock, files
from drillmark.errors import RecoveryError
from drillmark.recovery import dumps
from drillmark.recovery.dumps import Dump
from drillmark.recovery.target import iso

FORMAT = "drillmark.dump-source/1"
_HINT = "`source` takes ${drillmark_source}: the listing that was made when the disaster was declared"


@dataclass(frozen=True, slots=True)
class FrozenDump:
    """A listing, read.

    Attributes:
        directory: the dump that was the newest.
        description_sha256: of its description.
        listed_wall_ns: when it was listed.
        sha256: of the listing itself.
    """

    directory: Path
    description_sha256: str
    listed_wall_ns: int
    sha256: str


def write(listing: Path, place: Path) -> dict[str, Any]:
    """List the newest dump in `place` into a file; returns what is told of it. Raises RecoveryError, OSError."""
    listed_ns = clock.now().wall_ns
    found = dumps.newest(place)
    body = {
        "format": FORMAT,
        "directory": str(found.directory),
        "description_sha256": _sha256(found.directory / dumps.DESCRIPTION),
        "listed_wall_ns": listed_ns,
    }
    files.write_durably(listing, json.dumps(body, indent=1, sort_keys=True))
    return {"dump": found.directory.name, "taken": iso(found.taken_wall_ns)}


def read(listing: str | Path) -> FrozenDump:
    """A listing. Raises RecoveryError where it is none."""
    path = Path(listing)
    try:
        raw = path.read_bytes()
        body = json.loads(raw)
        if body["format"] != FORMAT:
            raise ValueError(f"format {body['format']!r} instead of {FORMAT!r}")
        digest = str(body["description_sha256"])
        return FrozenDump(Path(body["directory"]), digest, int(body["listed_wall_ns"]), hashlib.sha256(raw).hexdigest())
    except OSError as error:
        raise RecoveryError(f"cannot read the listing {path}: {error.strerror}", hint=_HINT) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecoveryError(f"{path} is no listing of a dump: {error}", hint=_HINT) from error


def dump_of(frozen: FrozenDump) -> Dump:
    """The dump that was listed. Raises RecoveryError where it is gone, or another one by now. Its files: `verify`."""
    description = frozen.directory / dumps.DESCRIPTION
    try:
        same = _sha256(description) == frozen.description_sha256
    except OSError as error:
        raise RecoveryError(f"dump {frozen.directory} cannot be read any more: {error.strerror}") from error
    if not same:
        raise RecoveryError(
            f"dump {frozen.directory} is another one than when the disaster was declared: its description differs"
        )
    return dumps.read(frozen.directory)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
