"""Any program as a recovery step: time-out, captured output, and what it says of the data that it brought back.

Never repeated after a crash unless the activity says `repeatable: true`: nobody but its author knows whether it looks
first at what is there. Must leave no process of a command behind that was ended for its time-out.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psutil

from drillmark import clock
from drillmark.errors import RecoveryError
from drillmark.recovery.activity import activity, logger, seconds

__all__ = ["run"]

REPORT_VARIABLE = "DRILLMARK_REPORT"
_KEPT_CHARACTERS = 4000
_REPORT_BYTES = 64 * 1024
_GRACE_SECONDS = 5.0


@activity
def run(
    command: list[str] | str,
    timeout: str | float = "1h",
    directory: str | None = None,
    environment: dict[str, str] | None = None,
    exit_codes: list[int] | None = None,
) -> dict[str, Any]:
    """Run a program to its end. Anything but one of its good exit codes is a failure.

    A text goes to `/bin/sh -c`, a list to no shell. The program may write a JSON object to the file that
    `DRILLMARK_REPORT` names: `recovery_point` (ISO 8601 with its zone: up to when what was committed is back) and
    `data_restored` (ISO 8601: since when the store takes reads). What it does not write is not known.

    Args:
        command: the program with its arguments, or one line for a shell.
        timeout: after so long it is ended with all that it started (`90s`, `15m`, `1h`).
        directory: where it runs; the workspace by default.
        environment: further variables.
        exit_codes: what counts as success; 0 alone by default.

    Returns:
        `exit_code`, `stdout` and `stderr` (the last 4,000 characters of each), `seconds`, and `drillmark`: its report.

    Raises:
        ActivityFailed: it cannot be started, took too long, failed, or its report makes no sense.
    """
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
    if not argv:
        raise RecoveryError("`command` is empty", hint="give a program with its arguments, or a line for a shell")
    limit_seconds = seconds(timeout)
    begun_ns = clock.monotonic_ns()
    with tempfile.TemporaryDirectory(prefix="drillmark-command-") as folder:
        report = Path(folder) / "report.json"
        known = {**os.environ, **{name: str(value) for name, value in (environment or {}).items()}}
        done, timed_out = _run(argv, directory, known | {REPORT_VARIABLE: str(report)}, Path(folder), limit_seconds)
        out, err = (_tail(Path(folder) / name) for name in ("stdout", "stderr"))
        said = _last_line(err) or _last_line(out)
        if timed_out:
            raise RecoveryError(f"{argv[0]} took longer than {limit_seconds:g} s and was ended: {said}")
        if done is None:
            raise RecoveryError(f"{_name(argv)} has ended, and nobody can tell how: its exit code was thrown away")
        if done not in (exit_codes or [0]):
            raise RecoveryError(f"{_name(argv)} ended with {done}: {said or 'without a word'}")
        result: dict[str, Any] = {
            "exit_code": done,
            "stdout": out,
            "stderr": err,
            "seconds": (clock.monotonic_ns() - begun_ns) / 1e9,
        }
        said_of_data = _report(report)
        if said_of_data is not None:
            result["drillmark"] = said_of_data
    logger.info("%s ended with %d after %.1f s", _name(argv), done, result["seconds"])
    return result


def _run(
    argv: list[str], directory: str | None, environment: dict[str, str], folder: Path, limit_seconds: float
) -> tuple[int | None, bool]:
    """Its exit code, and whether it was ended for its time. It stays in this process's group, and dies with it.

    The code is None where the system kept none.
    """
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        try:
            process = psutil.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=directory, env=environment
            )
        except (OSError, ValueError) as error:
            raise RecoveryError(f"cannot start {argv[0]}: {error}") from error
        try:
            code = process.wait(timeout=limit_seconds)
        except psutil.TimeoutExpired:
            _end(process, environment[REPORT_VARIABLE])
            return 0, True
        except BaseException:
            _end(process, environment[REPORT_VARIABLE])
            raise
    # psutil promises a number, and has none where the system kept none.
    return None if code is None else int(code), False  # pyright: ignore[reportUnnecessaryComparison]


def _end(process: psutil.Process, report: str) -> None:
    """End a process and all that it started: asked first, then killed."""
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        family = _family(process, report)
        for one in family:
            with contextlib.suppress(psutil.Error):
                ask(one)
        psutil.wait_procs(family, timeout=_GRACE_SECONDS)


def _family(process: psutil.Process, report: str) -> list[psutil.Process]:
    """What is left of it. A descendant whose parent has ended is nobody's child: it is known by its environment."""
    found = [process] if process.is_running() else []
    with contextlib.suppress(psutil.Error):
        found += process.children(recursive=True)
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if one not in found and one.environ().get(REPORT_VARIABLE) == report:
                found.append(one)
    return found


def _report(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        if path.stat().st_size > _REPORT_BYTES:
            raise RecoveryError(f"its report has more than {_REPORT_BYTES} bytes")
        said: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise RecoveryError(f"its report is not JSON: {error}") from error
    allowed = {"recovery_point", "data_restored"}
    if not isinstance(said, dict) or not said.keys() <= allowed:
        raise RecoveryError("its report makes no sense", hint=f"a JSON object with {' and '.join(sorted(allowed))}")
    times = cast("dict[str, Any]", said)
    answer: dict[str, Any] = {}
    if "recovery_point" in times:
        answer["last_transaction_wall_ns"] = _wall_ns("recovery_point", times["recovery_point"])
    if "data_restored" in times:
        now = clock.now()
        at_ns = _wall_ns("data_restored", times["data_restored"]) - (now.wall_ns - now.monotonic_ns)
        if at_ns > now.monotonic_ns:
            raise RecoveryError("its report says that the data will be restored in the future")
        # When they were not there yet nobody looked: the lower edge is the activity's begin.
        answer["data_restored_ns"] = [None, at_ns]
    return answer


def _wall_ns(name: str, text: Any) -> int:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise RecoveryError(
            f"`{name}` in its report is no time with a zone: {str(text)[:100]!r}", hint="write 2026-01-02T03:04:05Z"
        )
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4 * _KEPT_CHARACTERS))
        return file.read().decode("utf-8", "replace")[-_KEPT_CHARACTERS:]


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip()[:500] if lines else ""


def _name(argv: list[str]) -> str:
    return argv[2][:100] if argv[:2] == ["/bin/sh", "-c"] else Path(argv[0]).name
