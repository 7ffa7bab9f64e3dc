"""The register: files of the workspace, `reports/gaps/GAP-*.yaml`, or the database that several machines share.

Files are read and written under a lock, each replaced as a whole.

What people write into a file stays: comments at its head, `owner`, `due`, and keys of their own. A file that cannot
be read is named with line and column, left as it is, and never overwritten; the others are filed all the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from drillmark.database import address
from drillmark.errors import GapRegisterError, Problem
from drillmark.files import write_durably
from drillmark.gaps import filing
from drillmark.gaps.filing import Filing
from drillmark.model.gap import Gap
from drillmark.model.plan import Plan
from drillmark.model.verdict import Verdict
from drillmark.places import reports_of

FOLDER = "gaps"
_LOCK_SECONDS = 30.0
_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Ten times as fast, for who cites ten thousand entries.
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_SAFE):
    """Dates stay texts: a day set by hand, without quotes, is what was written."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A gap and where it lies.

    Attributes:
        path: its file; None where it stands in the database.
        gap: what the register knows.
        extra: keys that people added; written back as they were.
        head: comment lines at the top of the file, written back too.
    """

    path: Path | None
    gap: Gap
    extra: dict[str, Any] = field(default_factory=dict)
    head: str = ""


def read(workspace: Path) -> list[Stored]:
    """All gaps of a workspace, by id. Raises GapRegisterError naming every file, or row, that cannot be read."""
    if url := address.configured():
        from drillmark.gaps import shared  # noqa: PLC0415 - most workspaces need no PostgreSQL

        return [Stored(None, gap) for gap in shared.read(url)]
    stored, problems = _scan(reports_of(workspace) / FOLDER)
    if problems:
        raise GapRegisterError(problems)
    return stored


def file(workspace: Path, plan: Plan, run: str, verdict: Verdict, measurements: object, today: date) -> list[Gap]:
    """Open, update and close gaps by what a run showed; return those that it touched.

    Doing it again for the same run changes nothing. `measurements` is not needed: a verdict carries what was
    observed. Raises GapRegisterError where files of the register are broken or cannot be written; everything else
    was then filed all the same (its `gaps`).
    """
    del measurements
    if url := address.configured():
        from drillmark.gaps import shared  # noqa: PLC0415 - as above

        return shared.file(url, plan, run, verdict, today)
    return _noted(workspace, lambda known: filing.decide(plan, run, verdict, known, today))


def note(workspace: Path, target: str, decide: Callable[[list[Gap]], Filing]) -> list[Gap]:
    """File what `decide` makes of a target's gaps that are no drill's; return those touched. Raises as `file` does."""
    if url := address.configured():
        from drillmark.gaps import shared  # noqa: PLC0415 - as above

        return shared.note(url, "", target, decide)
    return _noted(workspace, decide)


def amend(workspace: Path, name: str, change: dict[str, str]) -> Gap:
    """Set `owner`, `due` or both of the open gap of that id; what people wrote beside them stays.

    Raises UsageError where there is no such gap, and GapRegisterError where the register cannot be read or written.
    """
    if url := address.configured():
        from drillmark.gaps import shared  # noqa: PLC0415 - as above

        return shared.amend(url, name, change)
    folder = reports_of(workspace) / FOLDER
    if not folder.is_dir():
        return filing.amended([], name, change)
    try:
        with _locked(folder):
            stored, problems = _scan(folder)
            if problems:
                raise GapRegisterError(problems)
            gap = filing.amended([item.gap for item in stored], name, change)
            old = next(item for item in stored if item.gap.fingerprint == gap.fingerprint)
            if old.gap != gap:
                _write(Stored(old.path, gap, old.extra, old.head))
    except OSError as error:
        problem = Problem(str(folder), 0, 0, f"cannot be written: {error.strerror or error}")
        raise GapRegisterError([problem]) from error
    return gap


def _noted(workspace: Path, decide: Callable[[list[Gap]], Filing]) -> list[Gap]:
    folder = reports_of(workspace) / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            touched, problems = _apply(folder, decide)
    except OSError as error:
        hint = "is the disk full, or the folder read-only?"
        problem = Problem(str(folder), 0, 0, f"cannot be written: {error.strerror or error}", hint)
        raise GapRegisterError([problem]) from error
    if problems:
        raise GapRegisterError(problems, gaps=touched)
    return touched


def _apply(folder: Path, decide: Callable[[list[Gap]], Filing]) -> tuple[list[Gap], list[Problem]]:
    stored, problems = _scan(folder)
    known = {item.gap.fingerprint: item for item in stored}
    broken = {Path(problem.file).name for problem in problems}
    touched = decide([item.gap for item in stored]).gaps
    for gap in touched:
        old = known.get(gap.fingerprint)
        path = _path(folder, gap, known) if old is None else old.path
        if path is None or path.name in broken:
            continue  # never over a file that somebody may still need
        if old is None:
            _write(Stored(path, gap))
        elif old.gap != gap:
            _write(Stored(path, gap, old.extra, old.head))
    return list(touched), problems


def _path(folder: Path, gap: Gap, known: dict[str, Stored]) -> Path:
    # Two fingerprints that begin alike: the second one's file has a longer name, its id stays.
    path = folder / f"{gap.id}.yaml"
    taken = any(item.path == path for item in known.values())
    return folder / f"GAP-{gap.fingerprint[:16]}.yaml" if taken else path


def _scan(folder: Path) -> tuple[list[Stored], list[Problem]]:
    stored: list[Stored] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob("GAP-*.yaml")):
        found = _load(path)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            stored.append(found)
    return stored, problems


def _load(path: Path) -> Stored | Problem:
    hint = "repair the file, or move it out of the register; it was not touched"
    try:
        text = path.read_text(encoding="utf-8")
        data: Any = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return Problem(str(path), line, column, f"not readable as YAML: {error.problem}", hint)
    except (OSError, ValueError, yaml.YAMLError) as error:
        return Problem(str(path), 0, 0, f"not readable: {str(error).splitlines()[0]}", hint)
    if not isinstance(data, dict):
        return Problem(str(path), 0, 0, "not a gap: no keys and values", hint)
    known: dict[str, Any] = {key: value for key, value in data.items() if key in Gap.model_fields}
    extra: dict[str, Any] = {key: value for key, value in data.items() if key not in Gap.model_fields}
    try:
        gap = Gap.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return Problem(str(path), 0, 0, f"not a gap: {where}: {first['msg'].lower()}", hint)
    head = "".join(line for line in _leading_comments(text))
    return Stored(path, gap, extra, head)


def _leading_comments(text: str) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        if not line.startswith("#"):
            return
        yield line if line.endswith("\n") else line + "\n"


def _write(item: Stored) -> None:
    data = {**item.gap.model_dump(mode="json"), **item.extra}
    text = item.head + yaml.dump(data, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100)
    assert item.path is not None
    write_durably(item.path, text)


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None]:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    problem = Problem(str(folder / ".lock"), 0, 0, f"held by another process for {_LOCK_SECONDS:.0f} s")
                    raise GapRegisterError([problem]) from None
                time.sleep(0.02)
            else:
                break
        yield
    finally:
        os.close(descriptor)
