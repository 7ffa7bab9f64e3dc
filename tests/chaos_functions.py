"""Activities and controls that the tests of experiments use; imported in child processes, found by PYTHONPATH."""

from __future__ import annotations

import atexit
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from chaoslib.exceptions import ActivityFailed, InterruptExecution

KEPT: list[Any] = []


def note(path: str, text: str = "x") -> str:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text + "\n")
    return text


def keep_to_the_end(path: str, lingers: bool = False) -> str:
    """Keep a report open, as some controls do, and a temporary file, whose name is returned."""
    report = Path(path).open("w", encoding="utf-8")
    report.write("a row\n")
    temporary = tempfile.NamedTemporaryFile()
    KEPT.extend((report, temporary))
    atexit.register(print, "said at the end")
    if lingers:
        threading.Thread(target=time.sleep, args=(600,)).start()
    return temporary.name


def make_directory(path: str) -> None:
    Path(path).mkdir()


def rest(seconds: float, mark: str = "") -> str:
    if mark:
        Path(mark).write_text(str(os.getpid()))
    time.sleep(seconds)
    return "rested"


def spin(seconds: float, mark: str) -> None:
    Path(mark).write_text(str(os.getpid()))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def defy(seconds: float, mark: str) -> str:
    """Swallow whatever is raised in here, as careless activities do."""
    end = time.monotonic() + seconds
    Path(mark).write_text(str(os.getpid()))
    while time.monotonic() < end:
        try:
            time.sleep(0.1)
            raise InterruptExecution("swallowed")
        except BaseException:
            continue
    return "defied"


def give(value: Any = None) -> Any:
    return value


def is_there(path: str) -> bool:
    return Path(path).exists()


def size_or_null(path: str, without: str) -> int | None:
    del path
    return None if Path(without).exists() else 3


def size_of(path: str) -> int:
    return Path(path).stat().st_size


def set_variable(variable: str, value: str) -> None:
    os.environ[variable] = value


def fail(message: str = "as asked") -> None:
    raise ActivityFailed(message)


def crash(message: str = "as asked") -> None:
    raise ValueError(message)


def leave(code: int = 3) -> None:
    sys.exit(code)


def interrupt() -> None:
    raise InterruptExecution("as asked")


def exit_gracefully() -> None:
    from chaoslib.exit import exit_gracefully as leave_gracefully

    leave_gracefully()
    time.sleep(30)


def exit_ungracefully() -> None:
    from chaoslib.exit import exit_ungracefully as leave_ungracefully

    leave_ungracefully()
    time.sleep(30)


def no_more_writing() -> None:
    """From here on no file of this process can grow, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def say(out: str = "", err: str = "", raw: str = "") -> None:
    print(out)
    print(err, file=sys.stderr)
    os.write(1, raw.encode() + b"\n")
    subprocess.run(["/bin/echo", out + " from below"], check=True)


def huge(characters: int) -> str:
    return "x" * characters


def environment(*names: str) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in names}


def drillmark_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("DRILLMARK_")}


def configuration_of(key: str, configuration: dict[str, Any] | None = None) -> Any:
    return (configuration or {}).get(key)


def secret_length(name: str, secrets: dict[str, Any] | None = None) -> int:
    return len(str((secrets or {}).get(name, "")))


def leak(which: str, how: str, secrets: dict[str, Any] | None = None) -> Any:
    """Let a secret out, in each of the ways in which that happens."""
    import base64
    import logging

    value = str((secrets or {})[which])
    if how == "output":
        return {"deep": [{"er": f"before {value} after", value: 1}]}
    if how == "exception":
        raise RuntimeError(f"cannot log in with {value!r}")
    if how == "failure":
        raise ActivityFailed(f"the server said no to {value}")
    if how == "log":
        logging.getLogger("chaostoolkit").warning("using %s", value)
        logging.getLogger("some.library").error("using %s", value)
        try:
            raise RuntimeError(value)
        except RuntimeError:
            logging.getLogger("chaostoolkit").exception("oh")
    if how == "print":
        say(value, value, value)
    if how == "base64":
        return base64.b64encode(f"user:{value}".encode()).decode()
    return None


def start_server(mark: str, seconds: float = 30.0) -> int:
    """Leave a process running, in the group of ours, with our output for its own."""
    code = f"import time,os,sys\nfor i in range(int({seconds}*10)):\n print(i, flush=True); time.sleep(0.1)"
    process = subprocess.Popen([sys.executable, "-c", code])
    Path(mark).write_text(str(process.pid))
    return process.pid


# -- controls ------------------------------------------------------------------------------------------------------


def configure_control(path: str = "", refuse: bool = False, **_: Any) -> None:
    if refuse:
        raise RuntimeError("this control cannot be configured")


def before_activity_control(
    context: dict[str, Any], path: str = "", veto: str = "", refuse: bool = False, **_: Any
) -> None:
    if path:
        note(path, f"before {context.get('name')}")
    if veto and context.get("name") == veto:
        raise InterruptExecution("vetoed")


def after_activity_control(
    context: dict[str, Any], path: str = "", veto: str = "", refuse: bool = False, **_: Any
) -> None:
    if path:
        note(path, f"after {context.get('name')}")


def before_rollback_control(
    context: dict[str, Any], path: str = "", veto: str = "", refuse: bool = False, **_: Any
) -> None:
    if veto == "all rollbacks":
        raise InterruptExecution("vetoed")


def before_experiment_control(
    context: dict[str, Any], path: str = "", veto: str = "", refuse: bool = False, **_: Any
) -> None:
    if veto == "experiment":
        raise InterruptExecution("vetoed")
