"""A workspace with a lab that stays up, on which one runner after another is killed and everything is checked."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
from observer import Observer

import workspaces
from drillmark import files, lab, runs, undo
from drillmark.chaos.events import Event, read_events
from drillmark.errors import DrillmarkError
from drillmark.journal.store import JournalStore
from drillmark.lab.state import LabState
from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.plan import Plan

DYING = Path(__file__).with_name("dying_runner.py")
LOST = "drills/quarterly/orders-db-lost.yaml"
CRASH = "drills/nightly/orders-db-crash.yaml"
PHASES = {"baseline": "1500ms", "soak": "1500ms", "hold": "1s"}
OBJECTIVES = {"rto": "4h", "rpo": "1h", "slo": {"availability": "1%", "throughput": "1/s", "error_rate": "99%"}}
SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Left:
    """What the runner's death left behind: journal, undo file and event log, as `resume` finds them."""

    run: str
    directory: Path
    entries: tuple[Entry, ...]
    undoables: int
    events: tuple[Event, ...]
    guard_acted: bool


@dataclass(slots=True)
class Told:
    """What came of one case: what was there at the death, what a resume made of it, and what does not hold."""

    left: Left
    entries: tuple[Entry, ...] = ()
    code: int | None = None
    output: str = ""
    result: dict[str, Any] | None = None
    plan: Plan | None = None
    problems: list[str] = field(default_factory=list)


class Bench:
    """The workspace, its lab, and the process that runners are forked from. A context manager."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.workspace = place / "a workspace"
        self.drills: dict[str, str] = {}
        self._number = 0
        self._log = (place / "points").resolve()

    def __enter__(self) -> Self:
        workspaces.make(self.workspace)
        self._log.mkdir()
        for drill in (LOST, CRASH):
            name = Path(drill).stem
            phases = PHASES | ({"recover": {"deadline": "90s"}} if drill == LOST else {"fault": "4s"})
            self.drills[name] = workspaces.shorten(
                self.workspace, drill, lease="60s", objectives=OBJECTIVES, phases=phases
            )
        self.lab_up()
        self._server = subprocess.Popen(
            [sys.executable, str(DYING), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=self.place, env=os.environ | {"NO_COLOR": "1"},
        )  # fmt: skip
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate(timeout=60)
        lab.down(self.lab_directory)

    @property
    def lab_directory(self) -> Path:
        return self.workspace / ".drillmark" / "lab"

    def lab_up(self) -> LabState:
        """Bring the lab up, or find it well."""
        return lab.up(self.lab_directory, scale_bytes=1024 * 1024)

    def renew_lab(self) -> None:
        """A fresh lab in a workspace without runs: what was restored and kept aside would fill the disk."""
        lab.down(self.lab_directory)
        for name in ("reports", ".drillmark"):
            shutil.rmtree(self.workspace / name, ignore_errors=True)
        self.lab_up()

    def start(self, arguments: list[str], deaths: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]], str]:
        """Run drillmark in a runner that may die; its exit code (minus the signal), the points, and what it said."""
        self._number += 1
        points, output = self._log / f"{self._number}.jsonl", self._log / f"{self._number}.txt"
        request = {
            "workspace": str(self.workspace), "arguments": arguments, "deaths": deaths,
            "points": str(points), "output": str(output),
        }  # fmt: skip
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        status = json.loads(self._server.stdout.readline())["status"]
        return status, files.read_json_lines(points), output.read_text(errors="replace")

    def observing(self) -> Observer:
        url = str(self.lab_up().environment["ORDERS_URL"])
        return Observer(url, f"observer-{self._number}-{time.monotonic_ns()}")

    def known(self) -> set[str]:
        """The runs whose directory or entry there is."""
        folder = self.workspace / "reports" / "runs"
        found = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
        journal = self.workspace / ".drillmark" / "journal.sqlite3"
        if not journal.exists():
            return found
        store = JournalStore(journal)
        try:
            return found | {row.run for row in store.runs()}
        finally:
            store.close()

    def left(self, run: str) -> Left:
        """What is there of a run now."""
        directory = self.workspace / "reports" / "runs" / (run or "none")
        entries: tuple[Entry, ...] = ()
        with contextlib.suppress(DrillmarkError):
            entries = runs.read_entries(self.workspace, runs.find(self.workspace, run)) if run else ()
        state = undo.read(directory / "undo.json") if directory.is_dir() else None
        acted = any(
            line.get("what") == "acting" for line in files.read_json_lines(directory / "guard.jsonl")
        )  # fmt: skip
        return Left(
            run, directory, entries, len(state.undoables) if state else 0,
            tuple(read_events(directory / "chaos" / "events.jsonl")), acted,
        )  # fmt: skip

    def read_result(self, told: Told) -> None:
        """Fill in what the run came to."""
        told.entries = self.left(told.left.run).entries
        told.result = files.read_json(told.left.directory / "result.json")
        with contextlib.suppress(DrillmarkError):
            told.plan = runs.read_plan(told.left.directory)

    def survived(self, customer: str) -> set[int]:
        """The orders of an observer that the store that serves now holds."""
        import psycopg

        environment = self.lab_up().environment
        before = {name: os.environ.get(name) for name in ("PGSERVICEFILE", "PGPASSFILE")}
        os.environ.update({name: environment[name] for name in before})
        try:
            with psycopg.connect(environment["ORDERS_DSN"]) as connection:
                return {row[0] for row in connection.execute("select id from orders where customer = %s", (customer,))}
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    def problems_of_place(self, told: Told) -> list[str]:
        """What is not as it should be once a run is over: fault, lab, processes, files."""
        problems: list[str] = []
        state = undo.read(told.left.directory / "undo.json") if told.left.directory.exists() else None
        if state is not None and state.undoables:
            problems.append("the undo file still holds the fault")
        for deed in sorted((self.lab_directory / "faults").glob("*.json")):
            if not (files.read_json(deed) or {}).get("undone"):
                problems.append(f"the fault is not undone: {deed.name}")
        problems += self._sick()
        problems += self._waited_out(lambda: self.processes_left(told.left.run), "processes are left")
        problems += self._waited_out(self._files_left, "files are left")
        return problems

    def _sick(self) -> list[str]:
        try:
            state = self.lab_up()
        except DrillmarkError as error:
            return [f"the lab does not come up: {error}"]
        wrong = [
            f"cluster {one.name} is {one.state}{', held' if one.held else ''}"
            for one in state.clusters.values()
            if one.held or (one.name == state.primary and one.state != "ready")
        ]
        url = state.environment["ORDERS_URL"]
        asking = Observer(url, "health")
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if asking._once() is not None:
                    return wrong
            if time.monotonic() > deadline:
                return [*wrong, "the service does not serve orders"]
            time.sleep(0.2)

    def _waited_out(self, look, words: str) -> list[str]:
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := look()) and time.monotonic() < deadline:
            time.sleep(0.25)
        return [f"{words}: {'; '.join(found)[:500]}"] if found else []

    def processes_left(self, run: str) -> list[str]:
        """Processes of this workspace that are not the lab's."""
        state = lab.status(self.lab_directory)
        heads = (
            [state.supervisor, state.service.process, *(one.process for one in state.clusters.values())]
            if state
            else []
        )
        own = {os.getpid(), self._server.pid}
        for head in heads:
            if head is None:
                continue
            own.add(head.pid)
            with contextlib.suppress(psutil.Error):
                own |= {child.pid for child in psutil.Process(head.pid).children(recursive=True)}
        found: list[str] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                words = " ".join(process.cmdline())
                if (
                    str(self.workspace) in words
                    or (run and run in words)
                    or process.cwd().startswith(str(self.workspace))
                ):
                    found.append(f"{process.pid} {words}")
        return found

    def _files_left(self) -> list[str]:
        """Drafts that nobody renamed, what a fault moved aside for itself, and half of a restore."""
        places = (self.workspace / "reports", self.workspace / ".drillmark" / "locks")
        drafts = [path for place in places for path in place.rglob("*.tmp")]
        drafts += (self.workspace / ".drillmark").glob("*.tmp")
        state = lab.status(self.lab_directory)
        known = set(state.clusters) if state else set[str]()
        strays = [
            path for path in (self.lab_directory / "clusters").iterdir()
            if path.is_dir() and path.name not in known and not path.name.startswith("lost-")
        ]  # fmt: skip
        return [str(path.relative_to(self.workspace)) for path in (*drafts, *strays)]


def intents(entries: tuple[Entry, ...], effect: Effect) -> list[Entry]:
    """The intents of an effect."""
    return [entry for entry in entries if entry.kind is Kind.INTENT and entry.effect is effect]
