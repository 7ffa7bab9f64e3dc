"""Which logical dump a simulated disaster may be restored from: the newest one when it was declared, with its hash.

The description of a dump holds the checksums of its files, so its own hash stands for all of it. Must never write to
the dumps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillmark import clock
from drillmark.errors import RecoveryError
from drillmark.recovery import dumps, listing
from drillmark.recovery.dumps import Dump
from drillmark.recovery.target import iso

FORMAT = "drillmark.dump-source/1"


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


def write(into: Path, place: Path) -> dict[str, Any]:
    """List the newest dump in `place` into a file; returns what is told of it. Raises RecoveryError, OSError."""
    listed_ns = clock.now().wall_ns
    found = dumps.newest(place)
    body = {
        "format": FORMAT,
        "directory": str(found.directory),
        "description_sha256": listing.sha256(found.directory / dumps.DESCRIPTION),
        "listed_wall_ns": listed_ns,
    }
    listing.write(into, body)
    return {"dump": found.directory.name, "taken": iso(found.taken_wall_ns)}


def read(source: str | Path) -> FrozenDump:
    """A listing. Raises RecoveryError where it is none."""
    return listing.read(source, FORMAT, "a dump", _frozen)


def dump_of(frozen: FrozenDump) -> Dump:
    """The dump that was listed. Raises RecoveryError where it is gone, or another one by now. Its files: `verify`."""
    description = frozen.directory / dumps.DESCRIPTION
    try:
        same = listing.sha256(description) == frozen.description_sha256
    except OSError as error:
        raise RecoveryError(f"dump {frozen.directory} cannot be read any more: {error.strerror}") from error
    if not same:
        raise RecoveryError(
            f"dump {frozen.directory} is another one than when the disaster was declared: its description differs"
        )
    return dumps.read(frozen.directory)


def _frozen(body: dict[str, Any], sha256: str) -> FrozenDump:
    digest = str(body["description_sha256"])
    return FrozenDump(Path(body["directory"]), digest, int(body["listed_wall_ns"]), sha256)
