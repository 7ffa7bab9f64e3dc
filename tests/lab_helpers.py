"""What the lab's tests look at from outside: HTTP answers, traces on the machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from pathlib import Path
from typing import Any

import psutil

from drillmark.lab import control

SMALL_BYTES = 1024 * 1024


def request(lab: Any, method: str, path: str, body: object = None, *, timeout_seconds: float = 30.0) -> tuple[int, Any]:
    """Status and JSON of one request to the order service; status 0 where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", lab.service.port, timeout=timeout_seconds)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def order(lab: Any, customer: str = "ada") -> int:
    """Create an order and return its id."""
    status, answer = request(
        lab, "POST", "/orders", {"customer": customer, "item": "lamp", "quantity": 2, "price": "9.50"}
    )
    assert status == 201, answer
    return answer["id"]


def call(lab: Any, method: str, path: str, **body: Any) -> Any:
    """One request to the lab's supervisor."""
    return control.call(lab.control, method, path, body, timeout_seconds=120)


def main_of(lab: Any) -> Any:
    """The cluster that a lab begins with."""
    return lab.clusters["main"]


def healthy(lab: Any) -> bool:
    """Whether the service says that it is well."""
    return request(lab, "GET", "/health")[0] == 200


def processes_of(directory: Path) -> list[str]:
    """Every process that names the directory in its arguments, or works in it."""
    found: list[str] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            words = " ".join(process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and (
                str(directory) in words or process.cwd().startswith(str(directory))
            ):
                found.append(f"{process.pid} {words}")
    return found


def shared_memory() -> set[str]:
    """The ids of all System V segments, and the names of POSIX ones."""
    posix = {path.name for path in Path("/dev/shm").glob("PostgreSQL.*")}
    table = Path("/proc/sysvipc/shm")
    lines = table.read_text().splitlines()[1:] if table.exists() else []
    return posix | {line.split()[1] for line in lines}


def assert_gone(lab: Any) -> None:
    """Nothing of the lab is left on this machine."""
    assert processes_of(Path(lab.directory)) == []
    assert not Path(lab.directory).exists()
    assert not Path(lab.short_directory).exists()
    ids = {str(i) for cluster in lab.clusters.values() for i in cluster.shared_memory_ids}
    # The kernel lets a segment go when the last process that had it is gone for good.
    deadline = time.monotonic() + 60
    while ids & shared_memory() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not ids & shared_memory()
