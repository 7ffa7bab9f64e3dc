"""The client of the supervisor's control socket: plain HTTP/1.1 with JSON over a Unix socket.

Used by faults and recoveries too, so it imports little.
"""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from drillmark.errors import LabError


class ControlError(LabError):
    """The supervisor answered that it cannot do what was asked, or did not answer."""

    code = "lab-control"


def call(
    socket_path: str | Path,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    timeout_seconds: float = 10.0,
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


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
