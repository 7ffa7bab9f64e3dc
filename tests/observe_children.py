"""Starts observers and load as the engine does, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from drillmark import clock, samples
from drillmark.model.evidence import Table
from waiting import until

NS = 1_000_000_000


class Child:
    """One child process with its files."""

    def __init__(
        self,
        module: str,
        role: str,
        directory: Path,
        config: dict[str, Any],
        *,
        environment: dict[str, str] | None = None,
        lease_seconds: float = 600.0,
        run: str = "r1",
    ) -> None:
        self.directory = directory
        self.role = role
        self.children = directory / "children"
        self.children.mkdir(parents=True, exist_ok=True)
        for left in (f"{role}.json", f"{role}.go"):
            (self.children / left).unlink(missing_ok=True)
        path = self.children / f"{role}.config.json"
        path.write_text(
            json.dumps(
                {
                    "run": run,
                    "run_dir": str(directory),
                    "deadline_ns": clock.monotonic_ns() + round(lease_seconds * NS),
                    "configuration": {},
                    "secrets": {},
                    **config,
                }
            )
        )
        path.chmod(0o600)
        with (self.children / f"{role}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )

    def go(self, seconds: float = 60) -> Child:
        """Say go, and wait until it is ready or over."""
        self.say_go()
        until(lambda: self.status().get("state") in {"ready", "failed", "ended"}, seconds=seconds)
        return self

    def say_go(self) -> None:
        (self.children / f"{self.role}.go").touch()

    def status(self) -> dict[str, Any]:
        try:
            return json.loads((self.children / f"{self.role}.json").read_text())
        except (OSError, ValueError):
            return {}

    def log(self) -> str:
        return (self.children / f"{self.role}.log").read_text()

    def table(self, name: str) -> Table:
        return samples.read(self.directory / "samples" / f"{name}.dms")

    def end(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Send a signal and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
