"""A runner that is starved at one boundary: `python starving_runner.py WORKSPACE POINT STARVATION [OPTIONS]`.

Boundaries are the writes of journal entries, undo file and other files, and the words to the experiment's child. At the
first of that name something is taken away (see STARVATIONS), and the runner goes on as well as it can. `list` instead
of a point writes the names of all that are passed, one a line, into `points.txt`. OPTIONS is JSON: `rollback_seconds`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from drillmark import files, undo
from drillmark.chaos import undo as chaos_undo
from drillmark.chaos.experiments import ExperimentChild
from drillmark.engine.context import Context

WORKSPACE = Path(sys.argv[1])
DRILL = "drills/file-lost.yaml"


def run_directory() -> Path:
    return max((WORKSPACE / "reports/runs").iterdir(), key=lambda path: path.name)


def child(role: str) -> int:
    return next(
        one["pid"] for one in json.loads((run_directory() / "undo.json").read_text())["children"] if one["role"] == role
    )


def fill_the_disk() -> None:
    """To the last byte; the workspace must be a small file system of its own."""
    with (WORKSPACE / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def allow_no_file_to_grow() -> None:
    """What comes nearest to a full disk where no file system may be mounted."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for process in psutil.process_iter(["pid", "cmdline"]):
        if str(run_directory()) in " ".join(process.info["cmdline"] or []) or process.pid in (
            os.getpid(),
            child("chaos"),
            child("worker"),
        ):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))


def allow_no_file_of_to_grow(role: str) -> None:
    resource.prlimit(child(role), resource.RLIMIT_FSIZE, (0, 0))


def allow_no_more_descriptors() -> None:
    """Those that are open stay; the next one is refused."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))


def leave_the_child_no_memory() -> None:
    pid = child("chaos")
    size = psutil.Process(pid).memory_info().vms
    resource.prlimit(pid, resource.RLIMIT_AS, (size + 2**26, size + 2**26))


def lock_the_journal(seconds: float) -> None:
    """Another process holds a transaction open for so long."""
    script = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30);"
        "c.execute('begin immediate'); print('locked', flush=True); time.sleep(float(sys.argv[2])); c.execute('rollback')"
    )
    journal = str(WORKSPACE / ".drillmark/journal.sqlite3")
    holder = subprocess.Popen([sys.executable, "-c", script, journal, str(seconds)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"


def damage_the_journal() -> None:
    for name in ("journal.sqlite3", "journal.sqlite3-wal"):
        path = WORKSPACE / ".drillmark" / name
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))


def step_the_clock(seconds: float) -> None:
    """Of all processes whose clock is injected."""
    (WORKSPACE / "wall-offset").write_text(str(seconds))


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


STARVATIONS = {
    "nothing": lambda: None,
    "disk": fill_the_disk,
    "file-size": allow_no_file_to_grow,
    "samples": lambda: allow_no_file_of_to_grow("prober"),
    "event-log": lambda: allow_no_file_of_to_grow("chaos"),
    "descriptors": allow_no_more_descriptors,
    "memory": leave_the_child_no_memory,
    "locked-shortly": lambda: lock_the_journal(2.0),
    "locked-long": lambda: lock_the_journal(25.0),
    "damaged": damage_the_journal,
    "hour-forward": lambda: step_the_clock(3600.0),
    "hour-back": lambda: step_the_clock(-3600.0),
    "stopped": stop,
}


def main() -> int:
    point, starvation = sys.argv[2], STARVATIONS[sys.argv[3]]
    options = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
    done: list[str] = []

    def here(name: str) -> None:
        if point == "list":
            with (WORKSPACE / "points.txt").open("a") as file:
                file.write(name + "\n")
        elif name == point and not done:
            done.append(name)
            starvation()

    def before(name: str, act):
        here(name)
        return act()

    journal, write, send, durably = Context.journal, undo.write, ExperimentChild.send, files.write_durably

    def starving_journal(self, kind, data, *, sentence=""):
        name = f"J {kind} {data.get('effect', data.get('what', ''))} {data.get('key', '')}".strip()
        return before(name, lambda: journal(self, kind, data, sentence=sentence))

    def starving_write(path, state):
        return before(f"U {len(state.undoables)} of {len(state.children)}", lambda: write(path, state))

    def starving_send(self, command):
        return before(f"E {command}", lambda: send(self, command))

    def starving_durably(path, text):
        name = path.name if path.name != "undo.json" else ""
        return before(f"file {name}", lambda: durably(path, text)) if name else durably(path, text)

    def starving_all(texts):
        for path, text in texts.items():
            if path.name == "undo.json":
                starving_write(path, undo.from_text(text))
            else:
                starving_durably(path, text)

    Context.journal, undo.write, ExperimentChild.send = starving_journal, starving_write, starving_send
    files.write_durably, files.write_all_durably = starving_durably, starving_all
    if "rollback_seconds" in options:
        chaos_undo.ROLLBACK_SECONDS = float(options["rollback_seconds"])

    from drillmark.cli import main as cli

    os.chdir(WORKSPACE)
    begun = time.monotonic()
    try:
        cli(["run", DRILL])
    except SystemExit as end:
        print(f"ended after {time.monotonic() - begun:.1f} s")
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
