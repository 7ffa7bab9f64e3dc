"""Runs experiments side by side: `chaos run --rollback-strategy=always`, and our own child, as drills and as it is.

`python chaos_runs.py DIRECTORY`, where DIRECTORY/work.json says what to run. What both need is imported once, and every
run is a process forked from here, as importing takes longer than an experiment does. Each experiment leaves, in a
folder of its name, `theirs/journal.json`, `theirs/log`, `{drill,bare}/chaos/{journal.json,events.jsonl}`, then `done`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chaoslib.secret  # noqa: F401
import jsonpath2.path  # noqa: F401
import requests  # noqa: F401
from chaostoolkit.__main__ import cli

# Only what is imported before the fork is imported once.
import chaos_functions  # noqa: F401
import drillmark.chaos.preparing
import drillmark.chaos.running  # noqa: F401
from drillmark.chaos import ExperimentChild, What, child
from drillmark.define.experiment import read_experiment
from drillmark.engine.early import request
from drillmark.engine.paths import RunPaths
from drillmark.model.plan import Bare
from drillmark.processes import ProcessIdentity, identify, is_alive

OPTIONS = ["--no-version-check", "--no-log-file", "--settings", "none"]
PATIENCE_SECONDS = 60.0
LANES = 3
SIDES = ("theirs", "drill", "bare")


class ForkedChild:
    """What `drillmark.chaos.launch.Child` is, but forked from here instead of started anew."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        commands, self._pipe = os.pipe()
        self._status: int | None = None
        self._pid = fork(log, environment, log.parent, self._main, commands)
        os.close(commands)
        self.identity = identify(self._pid) or ProcessIdentity(self._pid, "")

    def _main(self, commands: int) -> None:
        os.setsid()
        os.close(self._pipe)
        os.dup2(commands, 0)
        os.close(commands)
        sys.exit(child.main())

    @property
    def alive(self) -> bool:
        return self._status is None and is_alive(self.identity)

    def send_line(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            data = line.encode() + b"\n"
            while data:
                data = data[os.write(self._pipe, data) :]

    def kill(self) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
            self._status = os.waitpid(self._pid, 0)[1]
            os.close(self._pipe)

    def leave(self, seconds: float) -> bool:
        if self._status is None:
            deadline = time.monotonic() + seconds
            while (found := os.waitpid(self._pid, os.WNOHANG))[0] == 0:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
            self._status = found[1]
            os.close(self._pipe)
        return True


def fork(log: Path, environment: dict[str, str], place: Path, run: Callable[..., None], *arguments: Any) -> int:
    """A process that runs this, there, with its noise in the log. Returns its pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        noise = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(noise, 1)
        os.dup2(noise, 2)
        os.close(noise)
        os.environ.update(environment)
        os.chdir(place)
        run(*arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def theirs(place: Path, experiment: str, options: list[str], environment: dict[str, str]) -> int:
    """Begin `chaos run`. Returns the pid."""
    arguments = [*OPTIONS, "run", "--rollback-strategy=always", "--journal-path", "journal.json", *options, experiment]
    return fork(place / "log", environment, place, cli, arguments)


def drill(place: Path, experiment: str, environment: dict[str, str]) -> None:
    """Run it through our child, from beginning to end, as the engine would in a drill."""
    found = read_experiment(Path(experiment).read_bytes(), experiment)
    if found.problems:
        (place / "refused").write_text("\n".join(map(str, found.problems)))
        return
    paths = RunPaths(place)
    play(
        paths,
        environment,
        {
            "experiment": found.value,
            "event_log": str(paths.events),
            "journal_path": str(paths.chaos_journal),
            "run_dir": str(place),
        },
    )


def bare(place: Path, experiment: str, environment: dict[str, str]) -> None:
    """Run it likewise, by the request of `drillmark experiment` without any options."""
    paths = RunPaths(place)
    options = Bare(
        source=experiment,
        folder=str(place),
        journal_path=str(place / "journal.json"),
        settings_path=str(place / "none"),
    )
    play(paths, environment, request(paths, options, vars=[]))


def play(paths: RunPaths, environment: dict[str, str], asked: dict[str, Any]) -> None:
    paths.events.parent.mkdir()
    run = ExperimentChild(ForkedChild(paths.chaos_log, environment), paths.events)  # type: ignore[arg-type]
    run.ask(asked)
    if until(run, What.READY, What.FAILED) == What.READY:
        run.send("go")
        run.send("finish")
        until(run, What.FINISHED, What.FAILED)
    run.close()


def until(run: ExperimentChild, *whats: What) -> str:
    """Wait for one of these events, for the child's end, or for too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        alive = run.alive
        for event in run.poll():
            if event.event in whats:
                return event.event
        if not alive:
            break
        time.sleep(0.005)
    return ""


def ended(pid: int) -> int:
    """Wait for a process of ours, but not for ever. Returns its exit code, negative where a signal ended it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    return os.waitstatus_to_exitcode(found[1])


def main() -> None:
    directory = Path(sys.argv[1])
    works = json.loads((directory / "work.json").read_text())
    # Most of an experiment's time is waiting.
    lanes = [fork(directory / "log", {}, directory, pairs, directory, works[n::LANES]) for n in range(LANES)]
    for pid in lanes:
        os.waitpid(pid, 0)


def pairs(directory: Path, works: list[dict[str, Any]]) -> None:
    for work in works:
        place = directory / work["name"]
        for side in SIDES:
            (place / side).mkdir(parents=True)
        environments = {side: {**work["environment"], "CONFORMANCE_PLACE": str(place / side)} for side in SIDES}
        pid = theirs(place / "theirs", work["experiment"], work["options"], environments["theirs"])
        others = [
            fork(place / side / "log", {}, directory, run, place / side, work["experiment"], environments[side])
            for side, run in (("drill", drill), ("bare", bare))
        ]
        code = ended(pid)
        for other in others:
            os.waitpid(other, 0)
        (place / "unfinished").write_text(str(code))
        (place / "unfinished").rename(place / "done")


if __name__ == "__main__":
    main()
