"""What is in a backup store at one moment, listed with hashes; and a view of the store that holds nothing else.

A simulated disaster may be restored only from what had reached the store when it was declared. The view is made of
links, so that PostgreSQL's own restore_command cannot reach what came later. Must never write to the store.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillmark import files, postgres
from drillmark.errors import RecoveryError
from drillmark.recovery import backups, listing
from drillmark.recovery.marker import this_run

FORMAT = "drillmark.source/1"
_PREFIX = "frozen-"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A listing, read.

    Attributes:
        backups, archive: the folders that were listed.
        manifests: name of a complete backup -> SHA-256 of its manifest, which holds those of its files.
        log: name of an archived file -> SHA-256.
        sha256: of the listing itself.
    """

    backups: Path
    archive: Path
    manifests: dict[str, str]
    log: dict[str, str]
    sha256: str


def write(into: Path, backups_in: Path, archive: Path, *, cache: Path | None = None) -> dict[str, Any]:
    """List a store into a file; returns what is told of it. `cache`: hashes of an earlier listing of this run.

    Names and sizes are taken first and at once, hashes after: what arrives meanwhile is left out. Raises
    RecoveryError, OSError.
    """
    places = backups.candidates(backups_in)
    try:
        found = [entry for entry in os.scandir(archive) if entry.is_file() and not entry.name.startswith(".")]
    except OSError as error:
        raise RecoveryError(f"cannot read the log archive {archive}: {error.strerror}") from error
    known = _known(cache)
    hashes: dict[str, str] = {}

    def hashed(path: Path) -> str:
        stat = path.stat()
        mark = f"{path}:{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}"
        hashes[mark] = known.get(mark) or listing.sha256(path)
        return hashes[mark]

    body = {
        "format": FORMAT,
        "backups": str(backups_in),
        "archive": str(archive),
        "manifests": {place.name: hashed(place / backups.MANIFEST) for place in places},
        "log": _hash_all(sorted(entry.name for entry in found), archive, hashed),
    }
    listing.write(into, body)
    if cache is not None:
        files.write_durably(cache, json.dumps(hashes))
    return {"backups": len(places), "log_files": len(body["log"])}


def read(source: str | Path) -> Frozen:
    """A listing. Raises RecoveryError where it is none."""
    return listing.read(source, FORMAT, "a backup store", _frozen)


def view_of(into: Path) -> Path:
    """Where this run's view of the store is."""
    return into / f"{_PREFIX}{this_run() or 'by-hand'}"


def lay_out(frozen: Frozen, into: Path) -> Path:
    """Make the view: `backups/` and `archive/`, of links to what was listed and is still there. Returns its folder.

    Backups whose manifest is another by now are refused; log is looked at by `check_log`, as far as it is needed.
    """
    view = view_of(into)
    remove(view)
    for name in ("backups", "archive"):
        (view / name).mkdir(mode=0o700, parents=True)
    for name, digest in frozen.manifests.items():
        manifest = frozen.backups / _plain(name) / backups.MANIFEST
        if not manifest.is_file():
            continue  # taken away since, as backups are in their time
        if listing.sha256(manifest) != digest:
            raise RecoveryError(
                f"backup {name} is another one than when the disaster was declared: its manifest differs"
            )
        (view / "backups" / name).symlink_to(frozen.backups / name)
    for name in frozen.log:
        if (frozen.archive / _plain(name)).is_file():
            (view / "archive" / name).symlink_to(frozen.archive / name)
            if name.endswith(".history"):
                _same(frozen, view / "archive" / name)
    postgres.hand_over(view)
    return view


def check_log(frozen: Frozen, view: Path, used: tuple[Path, ...]) -> None:
    """The log that a restore reads is what was listed. Raises RecoveryError: which file is another one.

    A backup's own log is looked at with the backup.
    """
    for path in used:
        if path.parent == view / "archive":
            _same(frozen, path)


def _same(frozen: Frozen, path: Path) -> None:
    if listing.sha256(path) != frozen.log[path.name]:
        raise RecoveryError(
            f"log file {path.name} is another one than when the disaster was declared: its hash differs",
            hint="somebody has written to the archive since; after a real disaster that could not be",
        )


def remove(view: Path) -> None:
    """Take a view away: only links and our own folders; what they lead to is not touched. Raises OSError."""
    for name in ("backups", "archive"):
        folder = view / name
        for entry in list(folder.iterdir()) if folder.is_dir() else []:
            if not entry.is_symlink():
                raise RecoveryError(f"{entry} is no link: it is left alone")
            entry.unlink()
        if folder.is_dir():
            folder.rmdir()
    if view.is_dir():
        view.rmdir()


def _frozen(body: dict[str, Any], sha256: str) -> Frozen:
    return Frozen(
        Path(body["backups"]),
        Path(body["archive"]),
        {str(name): str(digest) for name, digest in body["manifests"].items()},
        {str(name): str(digest) for name, digest in body["log"].items()},
        sha256,
    )


def _hash_all(names: list[str], folder: Path, hashed: Callable[[Path], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = hashed(folder / name)
        except FileNotFoundError:
            continue  # taken away meanwhile: old log goes in its time
    return found


def _known(cache: Path | None) -> dict[str, str]:
    body = files.read_json(cache) if cache is not None else None
    return {str(key): str(value) for key, value in body.items()} if isinstance(body, dict) else {}


def _plain(name: str) -> str:
    if "/" in name or name in ("", ".", ".."):
        raise RecoveryError(f"the listing names a file outside the store: {name!r}")
    return name
