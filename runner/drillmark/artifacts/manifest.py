"""The list that says what of a run a place holds. Written last: where it lies, all that it names does.

Must never name a file outside the run's own folder, whoever wrote the list that is read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from drillmark import files
from drillmark.artifacts.place import ArtifactsError, Store

MANIFEST = "artifacts.json"
FORMAT = "drillmark.artifacts/1"


class NoListError(ArtifactsError):
    """What lies in a list's place is none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file, as it was when it came."""

    path: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path).parts
        if not parts or ".." in parts or self.path.startswith("/"):
            raise ValueError(f"{self.path!r} is not below the run")


@dataclass(slots=True)
class Manifest:
    """What is there of a run.

    Attributes:
        altered: samples that were not what the journal says when they came.
    """

    files: list[Listed] = field(default_factory=list[Listed])
    altered: list[str] = field(default_factory=list[str])


def read(store: Store, run: str) -> Manifest | None:
    """What the place holds of a run; None where it was never kept there whole. Raises ArtifactsError, NoListError."""
    key = f"{run}/{MANIFEST}"
    content = store.read(key)
    if content is None:
        return None
    try:
        body = json.loads(content)
        if body["format"] != FORMAT or body["run"] != run:
            raise ValueError(f"format {body['format']!r}, run {body['run']!r}")
        listed = [Listed(str(one["path"]), int(one["bytes"]), str(one["sha256"])) for one in body["files"]]
        return Manifest(listed, [str(name) for name in body["altered"]])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NoListError(f"{key} is no list of what was kept: {error}", hint="look at that place by hand") from error


def write(store: Store, scratch: Path, run: str, manifest: Manifest) -> None:
    """Say what the place holds from now on. Raises ArtifactsError, OSError."""
    listed = [{"path": one.path, "bytes": one.bytes, "sha256": one.sha256} for one in manifest.files]
    body = {"format": FORMAT, "run": run, "files": listed, "altered": manifest.altered}
    put_text(store, scratch, f"{run}/{MANIFEST}", json.dumps(body, indent=2) + "\n")


def put_text(store: Store, scratch: Path, key: str, text: str) -> Listed:
    """Put a text there, by way of a file in `scratch`. Raises ArtifactsError, OSError."""
    content = text.encode()
    run, _, name = key.partition("/")
    draft = scratch / f"{run}.{name}"
    files.write_whole(draft, text)
    try:
        digest = hashlib.sha256(content).hexdigest()
        store.put(key, draft, digest)
    finally:
        draft.unlink(missing_ok=True)
    return Listed(name, len(content), digest)
