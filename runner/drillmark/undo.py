"""The undo file U: what *may* be in effect, written before the effect begins and fsynced.

Beside it stands the epoch: which runner may act. Whoever wants to know whether a fault may be in effect asks U
and nothing else. It holds experiments with their configuration resolved, references to secrets, never values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from drillmark import files, processes
from drillmark.errors import UndoFileError
from drillmark.processes import ProcessIdentity

FORMAT = "drillmark.undo/1"
# What observes and loads the target, by kind, in the order in which it is ended.
OBSERVERS = ("guards", "prober", "side", "markers", "positions", "load", "read_back", "alerts")
# The event that says that one of them ended without being told to. Nobody waits for a read-back but who began it.
DIED = {kind: f"{kind}_died" for kind in OBSERVERS if kind != "read_back"} | {"guards": "watcher_died"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an undo finds what does not stand in U. All empty for the experiment of a drill.

    Attributes:
        folder: where relative paths count from; empty: where the run's do.
        var_files: files with variables and secrets, read anew for an undo.
        secrets_file: the experiment's own file, where its secrets are written out; read anew likewise.
    """

    folder: str = ""
    var_files: tuple[str, ...] = ()
    secrets_file: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Origin:
        """As it stands in U, where it may be missing."""
        files = tuple(map(str, data.get("var_files", ())))
        return cls(str(data.get("folder", "")), files, str(data.get("secrets_file", "")))


NOWHERE = Origin()


@dataclass(frozen=True, slots=True)
class Undoable:
    """An experiment whose actions may be in effect; its rollbacks are the undo.

    Attributes:
        variables: what activities may use as `${drillmark_...}`.
        origin: of a bare experiment.
        unlogged: no event log tells whether anything of it began, so it may be in effect as soon as it stands here.
    """

    path: str
    experiment: dict[str, Any]  # configuration resolved, secrets as references
    variables: dict[str, str] = field(default_factory=dict)
    origin: Origin = NOWHERE
    unlogged: bool = False

    @property
    def bare(self) -> bool:
        """Whether it is a bare experiment, and no drill's."""
        return bool(self.origin.folder)


@dataclass(frozen=True, slots=True)
class Child:
    """A process that belongs to the run.

    `role`: chaos, worker, guard, guards (their watcher), prober, markers, load, read_back. A marker writer that has
    a name, and its read-back, carry it: `markers-<name>`.
    """

    role: str
    pid: int
    start: str

    @property
    def kind(self) -> str:
        """The role without a marker writer's name."""
        return kind_of(self.role)

    @property
    def identity(self) -> ProcessIdentity:
        """For `processes`."""
        return ProcessIdentity(self.pid, self.start)


@dataclass(frozen=True, slots=True)
class UndoState:
    """What stands in U."""

    run: str
    undoables: tuple[Undoable, ...] = ()
    children: tuple[Child, ...] = ()

    def with_child(self, child: Child) -> UndoState:
        """With this child, in place of any other of the same role."""
        others = tuple(other for other in self.children if other.role != child.role)
        return replace(self, children=(*others, child))

    def child(self, role: str) -> Child | None:
        """The child of that role."""
        return next((child for child in self.children if child.role == role), None)

    def of(self, kinds: Iterable[str]) -> list[Child]:
        """The children of these kinds, in the order of the kinds."""
        return [child for kind in kinds for child in self.children if child.kind == kind]


def kind_of(role: str) -> str:
    """What a role is, without a marker writer's name."""
    return role.partition("-")[0]


def to_text(state: UndoState) -> str:
    """What stands in the file, and in its copy. Raises TypeError or ValueError for what JSON cannot hold."""
    return json.dumps({"format": FORMAT} | asdict(state), indent=1, ensure_ascii=False)


def from_text(text: str) -> UndoState:
    """The inverse. Raises UndoFileError where it is not to be understood."""
    try:
        body = json.loads(text)
        if body["format"] != FORMAT:
            raise ValueError(f"format {body['format']!r} instead of {FORMAT!r}")
        return UndoState(
            run=str(body["run"]),
            undoables=tuple(
                Undoable(
                    str(one["path"]),
                    dict(one["experiment"]),
                    dict(one["variables"]),
                    Origin.from_json(one.get("origin", {})),
                    bool(one.get("unlogged")),
                )
                for one in body["undoables"]
            ),
            children=tuple(_child(one) for one in body["children"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UndoFileError(
            f"cannot read what may be in effect: {error}", hint="undo the fault by hand, then remove this file"
        ) from error


def write(path: Path, state: UndoState) -> None:
    """Write U durably. Raises UndoFileError: then no new effect may begin."""
    try:
        files.write_durably(path, to_text(state))
    except (OSError, TypeError, ValueError) as error:
        raise UndoFileError(
            f"cannot write the undo file {path}: {error}",
            hint="no fault is injected without it; is the disk full, or the folder read-only?",
        ) from error


def read(path: Path) -> UndoState | None:
    """Read U; None where there is none. Raises UndoFileError where it is not to be understood."""
    if not path.exists():
        return None
    try:
        return from_text(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, UndoFileError) as error:
        raise UndoFileError(
            f"cannot read the undo file {path}: {error}", hint="undo the fault by hand, then remove this file"
        ) from error


def _child(body: dict[str, Any]) -> Child:
    identity = processes.told(body)
    if identity is None:
        raise ValueError(f"not a process: {str(body)[:80]!a}")
    return Child(str(body["role"]), identity.pid, identity.start)


def write_epoch(path: Path, epoch: int) -> None:
    """Say durably who may act. Raises UndoFileError."""
    try:
        files.write_durably(path, f"{epoch}\n")
    except OSError as error:
        raise UndoFileError(f"cannot write the epoch {path}: {error}") from error


def read_epoch(path: Path) -> int:
    """The epoch that may act. Raises UndoFileError where it cannot be read: then nobody may."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise UndoFileError(f"cannot read the epoch {path}: {error}") from error
