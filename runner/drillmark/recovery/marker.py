"""The marker file in a restored data directory: whose it is, and how far the restore came.

It makes a restore repeatable after a crash: complete means reuse, anything else means discard and begin again.
Must never let a directory be removed that does not carry the marker of the very run that asks.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drillmark import clock, files, postgres
from drillmark.errors import RecoveryError

NAME = "drillmark.json"
FORMAT = "drillmark.restore/1"


@dataclass(frozen=True, slots=True)
class Marker:
    """What the file holds.

    Attributes:
        run: the run that made it, or None (plain `chaos run`).
        request: what was asked for; another request gets another directory.
        report: the restore's report once it is complete, else None.
    """

    run: str | None
    attempt: int
    request: dict[str, Any]
    backup: str
    boot: str
    report: dict[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether the restore ended well, in this boot."""
        return self.report is not None and self.boot == clock.boot_id()

    def write(self, directory: Path) -> None:
        """Write it, whole or not at all. Raises OSError.

        It is not synced: it counts in this boot alone, and a sync would wait for all that was just copied.
        """
        body = {"format": FORMAT, **asdict(self), "to": self.request.get("to"), "complete": self.report is not None}
        draft = directory / f".{NAME}.tmp"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(body, indent=1), encoding="utf-8")
        draft.replace(directory / NAME)

    def with_report(self, report: dict[str, Any]) -> Marker:
        """The same, complete."""
        return replace(self, report=report)


def read(directory: Path) -> Marker | None:
    """The marker of a directory, or None where it has none that is ours."""
    body = files.read_json(directory / NAME)
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        return None
    try:
        return Marker(
            body["run"],
            int(body["attempt"]),
            dict(body["request"]),
            str(body["backup"]),
            str(body["boot"]),
            body["report"],
        )
    except (KeyError, TypeError, ValueError):
        return None


def this_run() -> str | None:
    """The run's id as activities see it, or None under plain `chaos run`."""
    return os.environ.get("DRILLMARK_RUN") or None


def this_attempt() -> int:
    """Which attempt of the activity this is, from 1."""
    text = os.environ.get("DRILLMARK_ATTEMPT", "1")
    return int(text) if text.isdigit() else 1


def place_for(into: Path, run: str | None, request: dict[str, Any]) -> Path:
    """Where this restore goes in `into`: the same place for the same request of the same run, else a new one."""
    if run is None:
        return into / f"restored-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    for number in range(1, 1000):
        place = into / (f"restored-{run}" if number == 1 else f"restored-{run}-{number}")
        marker = read(place)
        if not place.exists() or (marker is not None and marker.run == run and marker.request == request):
            return place
    raise RecoveryError(f"a thousand restores of run {run} lie in {into}")


def newest_complete(into: Path, run: str | None) -> tuple[Path, Marker] | None:
    """The newest complete restore in `into`: of this run, or of any where there is no run."""
    found: list[tuple[int, Path, Marker]] = []
    for place in into.glob("restored-*"):
        marker = read(place)
        if marker is not None and marker.complete and run in (None, marker.run):
            found.append(((place / NAME).stat().st_mtime_ns, place, marker))
    return max(found)[1:] if found else None


def restored(data_directory: str | None, into: Path) -> tuple[Path, int]:
    """The directory of a complete restore and the port of its server: the one named, else the newest in `into`.

    Raises RecoveryError: there is none.
    """
    if data_directory:
        directory = Path(data_directory).absolute()
        mark = read(directory)
    else:
        directory, mark = newest_complete(into, this_run()) or (into, None)
    if mark is None or mark.report is None or not mark.complete:
        raise RecoveryError(f"there is no complete restore in {directory}: nothing was done")
    return directory, int(mark.report["port"])


def discard(directory: Path, run: str | None) -> None:
    """End the servers of a directory that this run restored, and remove it. Raises RecoveryError: not ours."""
    marker = read(directory)
    if run is None or marker is None or marker.run != run:
        raise RecoveryError(f"{directory} does not carry the marker of run {run}: it is left alone")
    if not postgres.stop(directory, "kill"):
        raise RecoveryError(f"servers of {directory} do not end: it is left alone")
    # The marker goes last: a directory half removed is still known as ours.
    for entry in list(directory.iterdir()):
        if entry.name == NAME:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    shutil.rmtree(directory)
