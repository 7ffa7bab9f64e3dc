"""What the run of a bare experiment starts before all else: its directory, its child, its guard, both idle as yet.

The child imports while this process does. Imports little for that reason. Must never let either of them begin: the
child waits for its experiment and for `go`, the guard until it stands in the undo file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from drillmark import clock, files, forked
from drillmark.chaos.experiments import ExperimentChild
from drillmark.chaos.launch import VARIABLE, kept_back, open_log
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import RefusedError
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.processes import identify
from drillmark.undo import Child

if TYPE_CHECKING:
    import subprocess

    from drillmark.chaos.ahead import Ahead
    from drillmark.chaos.launch import Process
    from drillmark.model.plan import Bare

LEASE_SECONDS = 30.0
# A bare experiment says nothing of its length, and `chaos run` sets none: ten years.
NO_LIMIT_SECONDS = 10 * 365 * 86400.0
READY_SECONDS = 300.0  # what is loaded may come from a slow server, what is validated imports foreign code
# The guard waits longer for its `go` than the experiment may take to load, and `start` after that.
GO_WITHIN_SECONDS = READY_SECONDS + 120.0
_END_SECONDS = 5.0


@dataclass(slots=True)
class Early:
    """A run that has not begun.

    Attributes:
        guard: None until it is started.
    """

    workspace: WorkspacePaths
    run: str
    paths: RunPaths
    began: Stamp
    deadline_ns: int
    child: ExperimentChild
    guard: Process | None = None

    def ask(self, options: Bare, variables: list[str]) -> None:
        """Have the child load the experiment. `variables` as they were given to `start`."""
        self.child.ask(request(self.paths, options, vars=variables))

    def start_guard(self) -> None:
        """Start the guard. Where it can be forked, it has what is imported by then. Raises OSError.

        Before this process has a lock, the journal, or a second thread.
        """
        write_guard_config(
            self.paths, self.workspace, self.run, self.deadline_ns,
            lease_seconds=LEASE_SECONDS, runner_lost="undo", hold_seconds=0.0,
        )  # fmt: skip
        start_one = fork_guard if forked.possible() else start_guard
        self.guard = start_one(self.workspace, self.paths, self.run)

    @property
    def children(self) -> tuple[Child, ...]:
        """What is there and idle, as it stands in U."""
        guard = identify(self.guard.pid) if self.guard is not None else None
        known = {"chaos": self.child.identity, "guard": guard}
        return tuple(Child(role, one.pid, one.start) for role, one in known.items() if one is not None)

    def drop(self) -> None:
        """Nothing was begun, and nothing stays."""
        self.child.close()
        if self.guard is not None:
            self.guard.kill()
            self.guard.wait(_END_SECONDS)
        from shutil import rmtree  # noqa: PLC0415 - nearly no run is dropped

        rmtree(self.paths.directory, ignore_errors=True)


def start(
    workspace: WorkspacePaths, source: str, variables: list[str], seconds: float, ahead: Ahead | None = None
) -> Early:
    """Make a run's directory and start its child, or take the one that is there already.

    Raises RefusedError where runs are stopped, and OSError. `variables` are those of the command line,
    `name[:type]=value`. What may be a secret goes into the environment of what is started here, and into no file.
    """
    refuse_if_stopped(workspace)
    secret: dict[str, str] = {}
    for text in variables:
        name, kind = kept_back(text)
        if kind is not None:
            secret[f"{VARIABLE}{name}"] = text.partition("=")[2]
    os.environ.update(secret)
    began = clock.now()
    run = run_id(slug(source), began.wall_ns)
    paths = RunPaths(workspace.runs / run)
    deadline_ns = clock.monotonic_ns() + round(seconds * NANOSECONDS)
    make_directory(paths)
    if ahead is None:
        child = ExperimentChild.spawn(paths.events, log_path=paths.chaos_log)
    else:
        child = ExperimentChild.take(ahead, paths.events, log_path=paths.chaos_log, environment=secret)
    return Early(workspace, run, paths, began, deadline_ns, child)


def request(paths: RunPaths, bare: Bare, **more: Any) -> dict[str, Any]:
    """What the child is asked. `more`: `vars` as they were given, or the `experiment` where it is known already."""
    return {
        "bare": bare.model_dump(mode="json") | more,
        "event_log": str(paths.events),
        "journal_path": str(paths.chaos_journal),
        "run_dir": str(paths.directory),
        # Nothing of ours: with anything in a configuration, Chaos Toolkit takes `$$` for `$`.
        "variables": {},
    }


def refuse_if_stopped(workspace: WorkspacePaths) -> None:
    """Raises RefusedError while the workspace's kill switch is set."""
    if workspace.abort.exists():
        raise RefusedError(
            f"runs are stopped in this workspace: {workspace.abort.read_text(errors='replace').strip() or 'no reason'}",
            hint=f"remove {workspace.abort} to lift it",
        )


def run_id(drill: str, wall_ns: int) -> str:
    """A run's id: when it began, what it is of, and something that no other one has."""
    moment = datetime.fromtimestamp(wall_ns / NANOSECONDS, tz=UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{_name(drill)}-{os.urandom(3).hex()}"


def slug(source: str) -> str:
    """The id of an experiment's runs: what its file is called, or what its address ends with."""
    path = urlsplit(source).path if "://" in source else source
    return _name(Path(path).stem) or "experiment"


def make_directory(paths: RunPaths) -> None:
    """A run's directory, for its user alone. Raises OSError."""
    for folder in ("samples", "children", "chaos"):
        (paths.directory / folder).mkdir(parents=True, mode=0o700, exist_ok=True)
    paths.directory.chmod(0o700)


def write_guard_config(
    paths: RunPaths,
    workspace: WorkspacePaths,
    run: str,
    deadline_ns: int,
    *,
    lease_seconds: float,
    runner_lost: str,
    hold_seconds: float,
) -> None:
    """What the guard must know, in its file. Raises OSError."""
    config = {
        "run": run,
        "run_dir": str(paths.directory),
        "workspace": str(workspace.root),
        "lease_seconds": lease_seconds,
        "runner_lost": runner_lost,
        "deadline_ns": deadline_ns,
        "hold_seconds": hold_seconds,
        "go_within_seconds": GO_WITHIN_SECONDS,
    }
    files.write_durably(paths.guard_config, json.dumps(config))


def start_process(
    workspace: WorkspacePaths, paths: RunPaths, run: str, role: str, module: str, config: Path
) -> subprocess.Popen[bytes]:
    """Start one of the processes beside the drill, in a session of its own. Raises OSError."""
    import subprocess  # noqa: PLC0415 - who forks its guard needs none of it

    log = os.open(paths.child(role, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(  # the engine is the owner of processes
            [sys.executable, "-m", module, str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=workspace.root,
            start_new_session=True,
            env=os.environ | {"DRILLMARK_RUN": run, "DRILLMARK_RUN_DIR": str(paths.directory)},
        )
    finally:
        os.close(log)


def start_guard(workspace: WorkspacePaths, paths: RunPaths, run: str) -> subprocess.Popen[bytes]:
    """Start the guard as a program. Raises OSError."""
    return start_process(workspace, paths, run, "guard", "drillmark.guard", paths.guard_config)


def fork_guard(workspace: WorkspacePaths, paths: RunPaths, run: str) -> forked.Forked:
    """Fork the guard, while this process holds no lock and no journal. Raises OSError."""
    from drillmark.guard.__main__ import main  # noqa: PLC0415 - most of what it needs is imported by now

    def work() -> int:
        forked.retitle(f"drillmark-guard {paths.guard_config}")
        os.chdir(workspace.root)
        os.environ |= {"DRILLMARK_RUN": run, "DRILLMARK_RUN_DIR": str(paths.directory)}
        return main(paths.guard_config)

    log, null = open_log(paths.child("guard", "log")), os.open(os.devnull, os.O_RDONLY)
    try:
        return forked.Forked(work, name="drillmark-guard", stdin=null, output=log)
    finally:
        os.close(log)
        os.close(null)


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")[:60]
