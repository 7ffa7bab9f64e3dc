"""A runner that dies, or loses a process of its own, at a chosen boundary.

Once: `python dying_runner.py WORKSPACE DRILL POINT POINTS_FILE`. Many times, without importing everything anew:
`python dying_runner.py --serve`, which reads one request after another from its standard input (see `serve`).

Every place between undo file, intent, effect and outcome is a numbered point: before and after each journal entry,
each file written durably, each word to a child, each activity. What stands in POINTS_FILE as JSON lines is what was
passed. `moved` says whether the runner touched or awaited anything since the point before: two points without
anything between them are one boundary.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

RUN_ID = re.compile(r"\d{8}T\d{6}Z-[a-z0-9-]+-[0-9a-f]{6}")
# What a process does to the world, as Python's own audit events name it.
TOUCHING = (
    "subprocess.Popen", "os.kill", "os.killpg", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate",
    "fcntl.flock", "shutil.", "socket.connect",
)  # fmt: skip
LAST = "after run_ended"


class Points:
    """The points that this process passes, and who is to die at which."""

    def __init__(self, workspace: Path, log: Path, deaths: list[dict[str, Any]]) -> None:
        self.workspace = workspace
        self.log = log
        self.deaths = deaths
        self.passed = 0
        self.seen: dict[str, int] = {}
        self.phase = ""
        self.moved = True
        self.children: dict[str, tuple[int, str]] = {}

    def here(self, name: str, *, phase: str = "") -> None:
        """A point is passed: note it, and let die who is to die here."""
        self.passed += 1
        self.seen[name] = self.seen.get(name, 0) + 1
        self.phase = phase or self.phase
        line = {
            "number": self.passed, "name": name, "occurrence": self.seen[name], "phase": self.phase,
            "moved": self.moved, "alive": sorted(self.alive()),
        }  # fmt: skip
        with self.log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for death in self.deaths:
            if self.is_due(death, name):
                self.kill(death["victim"])
        self.moved = False

    def is_due(self, death: dict[str, Any], name: str) -> bool:
        at = death["at"]
        if isinstance(at, int):
            return self.passed == at or (name == LAST and self.passed < at)
        return name == at and self.seen[name] == death.get("occurrence", 1)

    def alive(self) -> dict[str, int]:
        """Every process that belongs to the run, or to the lab under it, by its role."""
        from drillmark import files, processes

        found = {
            role: pid
            for role, (pid, start) in self.children.items()
            if processes.is_alive(processes.ProcessIdentity(pid, start))
        }
        supervisor = (files.read_json(self.workspace / ".drillmark/lab/lab.json") or {}).get("supervisor")
        if supervisor and processes.is_alive(
            processes.ProcessIdentity(int(supervisor["pid"]), str(supervisor["start"]))
        ):
            found["lab supervisor"] = int(supervisor["pid"])
        return found

    def kill(self, victim: str) -> None:
        """End a process by its role. `any SEED`: one of those that live, by chance."""
        alive = self.alive()
        if victim.startswith("any "):
            victim = random.Random(victim).choice([*sorted(alive), "runner"])
        pid = os.getpid() if victim == "runner" else alive.get(victim)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


def name_of(path: Path) -> str:
    """A file's name without what differs from run to run."""
    if path.parent.name == "gaps":
        return "a gap"
    return RUN_ID.sub("RUN", path.name)


def watch(points: Points) -> None:
    """Put a point around whatever makes a boundary."""
    from drillmark import files, undo
    from drillmark.chaos.activities import ActivityWorker
    from drillmark.chaos.experiments import ExperimentChild
    from drillmark.engine.context import Context

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes and str(arguments[0]) != str(points.log)) or event.startswith(TOUCHING):
            points.moved = True

    sys.addaudithook(touched)
    sleep, journal, send, request = time.sleep, Context.journal, ExperimentChild.send, ActivityWorker.request
    write, read, durably, touch = undo.write, undo.read, files.write_durably, Path.touch
    whole, together = files.write_whole, files.write_all_durably

    def around(name: str, act, *, phase: str = ""):
        points.here(f"before {name}", phase=phase)
        value = act()
        points.moved = True
        points.here(f"after {name}")
        return value

    def dying_sleep(seconds):
        points.moved = True
        sleep(seconds)

    def dying_journal(self, kind, data, *, sentence=""):
        about = data.get("effect", data.get("what", ""))
        detail = data.get("key", "") or data.get("file", "")
        phase = str(data.get("effect", "")) if kind == "intent" else ""
        name = f"{kind} {about} {detail}".strip()
        return around(name, lambda: journal(self, kind, data, sentence=sentence), phase=phase)

    def dying_write(path, state):
        points.children = {child.role: (child.pid, child.start) for child in state.children}
        roles = ",".join(child.role for child in state.children)
        return around(f"U {len(state.undoables)} [{roles}]", lambda: write(path, state))

    def watching_read(path):
        state = read(path)
        if state is not None:
            points.children = {child.role: (child.pid, child.start) for child in state.children}
        return state

    def dying_durably(path, text):
        if path.name == "undo.json":
            return durably(path, text)
        return around(f"file {name_of(path)}", lambda: durably(path, text))

    def dying_all(texts):
        # One after another, as they are replaced; that the directory waits for the disk once is no boundary.
        for path, text in texts.items():
            if path.name == "undo.json":
                dying_write(path, undo.from_text(text))
            else:
                dying_durably(path, text)

    def dying_touch(self, *arguments, **named):
        if self.suffix != ".stop":
            return touch(self, *arguments, **named)
        return around(f"file {self.name}", lambda: touch(self, *arguments, **named))

    def dying_whole(path, text):
        if path.suffix != ".go":
            return whole(path, text)
        return around(f"file {path.name}", lambda: whole(path, text))

    def dying_send(self, command):
        return around(command, lambda: send(self, command))

    def dying_request(self, operation, name, timeout_seconds, **fields):
        request(self, operation, name, timeout_seconds, **fields)
        points.moved = True
        # What is asked of Chaos Toolkit before the run exists has no name of its own here.
        points.here(f"in {name}" if operation == "run" else f"in {operation}")

    time.sleep, Context.journal, ExperimentChild.send, ActivityWorker.request = (
        dying_sleep, dying_journal, dying_send, dying_request,
    )  # fmt: skip
    undo.write, undo.read, Path.touch = dying_write, watching_read, dying_touch
    files.write_whole = dying_whole
    for module in [module for name, module in sys.modules.items() if name.startswith("drillmark")]:
        if getattr(module, "write_durably", None) is durably:
            module.write_durably = dying_durably
        if getattr(module, "write_all_durably", None) is together:
            module.write_all_durably = dying_all


def preload() -> None:
    """Import what every run imports."""
    for name in (
        "cli.resume",
        "cli.run",
        "cli.verify",
        "cli.views",
        "engine.resume",
        "gaps",
        "lab",
        "report.files",
        "workspace",
    ):
        importlib.import_module(f"drillmark.{name}")


def drillmark(points: Points, arguments: list[str]) -> int:
    from drillmark.cli import main as cli

    watch(points)
    os.chdir(points.workspace)
    try:
        cli(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def serve() -> int:
    """One request in a line, one answer: `{"status": exit code, or minus the signal}`.

    A request: `workspace`, `arguments` for drillmark, `deaths` (each `at` a point's name and `occurrence`, or its
    number, with the `victim`), `points` and `output`, the files to write.
    """
    preload()
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run_request(request)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)
    return 0


def run_request(request: dict[str, Any]) -> None:
    """In the forked child: never returns."""
    code = 70
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        code = drillmark(
            Points(Path(request["workspace"]), Path(request["points"]), request["deaths"]), request["arguments"]
        )
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def main() -> int:
    if sys.argv[1] == "--serve":
        return serve()
    workspace, drill, point, log = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
    preload()
    at: int | str = int(point) if point.isdigit() else point
    return drillmark(Points(workspace, log, [{"at": at, "victim": "runner"}] if at else []), ["run", drill])


if __name__ == "__main__":
    sys.exit(main())
