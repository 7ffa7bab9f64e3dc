"""Performs a drill for a worker: the engine, in a process of its own that does not outlive its worker.

What became of it is read from the journal; what a process printed is only told where the journal has nothing. Must
never undo anything itself, and never end a process that it did not start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from drillmark.fleet.claims import Claim
from drillmark.fleet.endings import Ending

_POLL_SECONDS = 0.2
_TOLD_CHARACTERS = 500
CHILD = "drillmark.cli.occurrence"


class Performer(Protocol):
    """Whatever performs a claimed drill."""

    def perform(self, claim: Claim, stop: Callable[[], bool]) -> Ending:
        """Perform it to its end; once `stop` is true, undo and stop soon. Never raises."""
        ...


@dataclass(slots=True)
class EngineProcess:
    """The engine in a child process: `python -m drillmark.cli.occurrence`.

    `notified` hears of each message of a run to a channel: the channel's name, the news, and how it went.
    """

    root: Path
    notified: Callable[[str, str, str], None] = lambda _channel, _event, _outcome: None

    def perform(self, claim: Claim, stop: Callable[[], bool]) -> Ending:
        """Run it in a child, which ends when this process does."""
        folder = self.root / ".drillmark" / "worker"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        said = folder / f"{claim.run}.log"
        try:
            with said.open("ab") as output:
                child = subprocess.Popen(
                    [sys.executable, "-m", CHILD],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    cwd=self.root,
                    start_new_session=True,
                    env=os.environ | {"DRILLMARK_WORKSPACE": str(self.root)},
                    text=True,
                )
        except OSError as error:
            return Ending(
                "unknown", f"its process could not be started: {error}", settled=not claim.taking_over, again=True
            )
        ending = self._wait(child, claim, stop)
        if said.stat().st_size == 0:
            said.unlink()
        return ending

    def _wait(self, child: subprocess.Popen[str], claim: Claim, stop: Callable[[], bool]) -> Ending:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(asdict(claim)) + "\n")
            child.stdin.flush()  # left open: its end tells the child that its worker is gone
        except OSError:
            pass  # it is dead already; what it said tells why
        told: list[dict[str, Any]] = []
        reader = threading.Thread(target=self._listen, args=(child.stdout, told), daemon=True)
        reader.start()
        asked = False
        while True:
            try:
                child.wait(_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if stop() and not asked:
                    asked = True
                    child.terminate()
        reader.join(5.0)
        child.stdin.close()
        child.stdout.close()
        return _read(told, child.returncode)

    def _listen(self, output: IO[str], told: list[dict[str, Any]]) -> None:
        """One JSON object in each line; what a library prints between them is nothing to us."""
        for line in output:
            try:
                body = json.loads(line) if line.startswith("{") else None
            except ValueError:
                continue
            match body:
                case {"notified": [str(channel), str(event), str(outcome)]}:
                    self.notified(channel, event, outcome)
                case {"verdict": _}:
                    told.append(body)
                case _:
                    pass


def _read(told: list[dict[str, Any]], code: int) -> Ending:
    try:
        body = told[-1]
        return Ending(
            str(body["verdict"]), str(body["reason"])[:_TOLD_CHARACTERS], bool(body["again"]), bool(body["settled"])
        )
    except (IndexError, ValueError, KeyError, TypeError):
        return Ending("unknown", f"the engine's process ended with {code} and said nothing", settled=False)
