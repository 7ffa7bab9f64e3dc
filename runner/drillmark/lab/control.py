"""The client of the supervisor's control socket: plain HTTP/1.1 with JSON over a Unix socket.

Used by faults and recoveries too, so it imports little.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from drillmark import clock, postgres
from drillmark.errors import LabError

_ANSWER_SECONDS = 10.0
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05


class ControlError(LabError):
    """The supervisor answered that it cannot do what was asked, or did not answer."""

    code = "lab-control"


def call(
    socket_path: str | Path,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    timeout_seconds: float = _ANSWER_SECONDS,
) -> dict[str, Any]:
    """Ask the supervisor, and return its answer.

    Raises:
        ControlError: nobody listens, no answer in time, or a refusal (its reason is the message).
    """
    connection = _UnixConnection(str(socket_path), timeout_seconds)
    try:
        connection.request(method, path, body=json.dumps(body or {}), headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read() or b"{}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ControlError(
            f"the lab's supervisor does not answer on {socket_path}: {error or type(error).__name__}",
            hint="`drillmark lab up` starts it again.",
        ) from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise ControlError(str(answer.get("error", f"status {response.status}")), hint=str(answer.get("hint", "")))
    return answer


def insist(socket_path: str | Path, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the supervisor as `call` does; one that has died is started again first, where the lab is known.

    An undo must not fail because the supervisor was killed. What it supervised lives on, and it adopts that.
    """
    if not _listens(socket_path) and (directory := os.environ.get("DRILLMARK_LAB")):
        _start_again(Path(directory), socket_path)
    return call(socket_path, method, path, body)


def _listens(socket_path: str | Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as asking:
        asking.settimeout(_ANSWER_SECONDS)
        try:
            asking.connect(str(socket_path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            pass  # busy, perhaps; whoever asks will see
    return True


def _start_again(directory: Path, socket_path: str | Path) -> None:
    """Two who do this at once start two, of which one finds the other and ends."""
    if not (directory / "lab.json").exists():
        return
    # It outlives the run, and must not be taken for a process of it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DRILLMARK_RUN")}
    argv = [sys.executable, "-m", "drillmark.lab.supervisor", str(directory)]
    postgres.spawn(argv, environment=environment, log=directory / "logs" / "supervisor.log")
    deadline = clock.monotonic_ns() + round(_START_SECONDS * 1e9)
    while not _listens(socket_path) and clock.monotonic_ns() < deadline:
        time.sleep(_POLL_SECONDS)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
