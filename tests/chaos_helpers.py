"""Builders of experiments, and a way to follow a real experiment child."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Self

from drillmark.chaos import Event, ExperimentChild, What
from waiting import until

_FOLDERS = [str(Path(__file__).parent), str(Path(__file__).parent / "conformance")]
FUNCTIONS = {"PYTHONPATH": os.pathsep.join([*_FOLDERS, os.environ.get("PYTHONPATH", "")])}
PATIENCE_SECONDS = 60.0


def python(name: str, func: str, *, kind: str = "action", secrets: list[str] | None = None, **arguments: Any) -> dict:
    provider: dict[str, Any] = {"type": "python", "module": "chaos_functions", "func": func, "arguments": arguments}
    if secrets:
        provider["secrets"] = secrets
    return {"type": kind, "name": name, "provider": provider}


def shell(name: str, command: str, *, kind: str = "action", **others: Any) -> dict:
    return {
        "type": kind,
        "name": name,
        "provider": {"type": "process", "path": "/bin/sh", "arguments": ["-c", command]},
        **others,
    }


def probe(name: str, func: str = "give", *, tolerance: Any = True, **arguments: Any) -> dict:
    return {**python(name, func, kind="probe", **arguments), "tolerance": tolerance}


def experiment(
    method: list[dict], rollbacks: list[dict] | None = None, *, probes: list[dict] | None = None, **others: Any
) -> dict:
    whole: dict[str, Any] = {"title": "t", "description": "d", "method": method, **others}
    if rollbacks is not None:
        whole["rollbacks"] = rollbacks
    if probes is not None:
        whole["steady-state-hypothesis"] = {"title": "h", "probes": probes}
    return whole


def control(**arguments: Any) -> dict:
    return {"name": "c", "provider": {"type": "python", "module": "chaos_functions", "arguments": arguments}}


class Followed:
    """An experiment child, and all that it said so far."""

    def __init__(self, run_dir: Path, experiment: dict, *, environment: dict | None = None, **request: Any) -> None:
        self.run_dir = run_dir
        self.log_path = run_dir / "chaos" / "child.log"
        self.journal_path = run_dir / "chaos" / "journal.json"
        self.event_log = run_dir / "chaos" / "events.jsonl"
        self.events: list[Event] = []
        self.child = ExperimentChild.start(
            {
                "experiment": experiment,
                "configuration_resolved": None,
                "event_log": str(self.event_log),
                "journal_path": str(self.journal_path),
                "hold_after_method": True,
                "settings": {},
                "run_dir": str(run_dir),
                "variables": {},
                **request,
            },
            log_path=self.log_path,
            environment={**FUNCTIONS, **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close()

    def poll(self) -> list[Event]:
        new = self.child.poll()
        self.events += new
        return new

    def until(self, *whats: What) -> Event:
        """Wait for one of these events (or for the end of the child) and return it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            alive = self.child.alive
            self.poll()
            for event in self.events:
                if event.event in whats:
                    return event
            assert alive, f"the child ended without {whats}: {self.story}\n{self.log}"
            time.sleep(0.01)
        raise AssertionError(f"no {whats} within {PATIENCE_SECONDS} s: {self.story}\n{self.log}")

    def until_dead(self) -> None:
        until(lambda: not self.child.alive)
        self.poll()

    def hold(self) -> None:
        """Up to the end of the method."""
        self.until(What.READY, What.FAILED)
        self.child.send("go")
        self.until(What.METHOD_COMPLETED)

    def play(self, command: str = "finish") -> Event:
        """From beginning to end."""
        self.hold()
        self.child.send(command)
        end = self.until(What.FINISHED, What.FAILED)
        self.until_dead()
        return end

    @property
    def story(self) -> list[str]:
        return [" ".join(filter(None, [event.event, event.name, event.status, event.error])) for event in self.events]

    @property
    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    @property
    def journal(self) -> dict[str, Any]:
        return json.loads(self.journal_path.read_text())

    def ended(self, phase: str = "rollbacks") -> dict[str, str]:
        """Name of an activity -> how it ended."""
        return {
            event.name: event.status
            for event in self.events
            if event.event == What.ACTIVITY_ENDED and event.phase == phase
        }


def lives(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
