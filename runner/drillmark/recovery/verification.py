"""Proves that a base backup is what its manifest says, before anybody relies on it.

By `pg_verifybackup` where that program runs, else against the manifest itself: its own checksum, every file's
size and checksum, nothing missing, nothing extra. Reads only; says "good" only of what it has looked at.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from drillmark import postgres
from drillmark.errors import DrillmarkError, RecoveryError
from drillmark.recovery.backups import MANIFEST, Backup
from drillmark.recovery.progress import Progress

_ALGORITHMS = {"SHA224": "sha224", "SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}
# What pg_verifybackup leaves out: these may change after the backup, or are looked at as log.
_LEFT_OUT = {MANIFEST, "postgresql.auto.conf", "recovery.signal", "standby.signal"}
_LEFT_OUT_FOLDER = "pg_wal"
_CHUNK_BYTES = 1 << 20
_SHOWN = 5
_TIMEOUT_SECONDS = 24 * 3600


def verify(backup: Backup, *, jobs: int, progress: Progress) -> int:
    """Look at every byte of a backup. Returns how many bytes that were.

    Raises RecoveryError that names the files that are damaged, missing or extra.
    """
    files = dict(_listed(backup))
    total = sum(int(entry["Size"]) for entry in files.values())
    progress.begin("verify", total)
    program = pg_verifybackup()
    if program is not None:
        _by_program(program, backup)
        progress.at(total)
    else:
        _by_manifest(backup, files, jobs, progress)
    progress.end()
    return total


@cache
def pg_verifybackup() -> Path | None:
    """The program, or None where there is none that runs (one wheel's crashes on start)."""
    try:
        program = postgres.binary("pg_verifybackup")
        done = subprocess.run([program, "--version"], capture_output=True, check=False, timeout=10)
    except (DrillmarkError, OSError, subprocess.TimeoutExpired):
        return None
    return program if done.returncode == 0 else None


def _by_program(program: Path, backup: Backup) -> None:
    # The log is looked at by us: it may lie in the archive, of which the program knows nothing.
    argv: list[str | Path] = [program, "--no-parse-wal", "--quiet", backup.directory]
    done = postgres.run(argv, timeout_seconds=_TIMEOUT_SECONDS, check=False)
    if done.returncode != 0:
        said = "; ".join((done.stderr or done.stdout).strip().splitlines()[:_SHOWN])
        raise RecoveryError(f"backup {backup.directory} is damaged: {said}")


def _by_manifest(backup: Backup, files: dict[str, dict[str, Any]], jobs: int, progress: Progress) -> None:
    _check_manifest_itself(backup)
    wrong = [f"{name} is in no manifest" for name in sorted(set(_present(backup.directory)) - set(files))]
    # Largest first, so that no thread is left alone with it at the end.
    order = sorted(files.items(), key=lambda item: -int(item[1]["Size"]))
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        found = pool.map(lambda item: _what_is_wrong(backup.directory, item[0], item[1], progress), order)
        wrong += [sentence for sentence in found if sentence]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise RecoveryError(
            f"backup {backup.directory} is damaged: {'; '.join(wrong[:_SHOWN])}{more}",
            hint="take a new base backup, and find out what damaged this one",
        )


def _check_manifest_itself(backup: Backup) -> None:
    path = backup.directory / MANIFEST
    raw = path.read_bytes()
    body = raw[: raw.rstrip(b"\n").rfind(b"\n") + 1]
    if hashlib.sha256(body).hexdigest() != backup.manifest.get("Manifest-Checksum"):
        raise RecoveryError(f"{path} is damaged: it does not match its own checksum")


def _listed(backup: Backup) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in backup.manifest["Files"]:
        name = entry["Path"] if "Path" in entry else os.fsdecode(bytes.fromhex(entry["Encoded-Path"]))
        if name.startswith("/") or ".." in Path(name).parts:
            raise RecoveryError(f"{backup.directory / MANIFEST} names a file outside the backup: {name}")
        if not _is_left_out(name):
            yield name, entry


def _is_left_out(name: str) -> bool:
    return name in _LEFT_OUT or name.split("/", 1)[0] == _LEFT_OUT_FOLDER


def _present(directory: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(directory):
        inside = os.path.relpath(folder, directory)
        if inside == ".":
            folders[:] = [name for name in folders if name != _LEFT_OUT_FOLDER]
        for name in names:
            relative = name if inside == "." else f"{inside}/{name}"
            if not _is_left_out(relative):
                yield relative


def _what_is_wrong(directory: Path, name: str, entry: dict[str, Any], progress: Progress) -> str:
    path, size = directory / name, int(entry["Size"])
    try:
        found = path.stat().st_size
        if found != size:
            return f"{name} has {found} bytes instead of {size}"
        algorithm = _ALGORITHMS.get(str(entry.get("Checksum-Algorithm", "NONE")).upper())
        if algorithm is None:
            return f"{name} has no SHA checksum (take backups with --manifest-checksums=SHA256)"
        if _digest(path, algorithm, progress) != entry.get("Checksum"):
            return f"{name} does not match its {entry['Checksum-Algorithm']} checksum"
    except OSError as error:
        return f"{name}: {error.strerror}"
    return ""


def _digest(path: Path, algorithm: str, progress: Progress) -> str:
    digest = hashlib.new(algorithm)
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(_CHUNK_BYTES)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            digest.update(view[:count])
            progress.add(count)
    return digest.hexdigest()
