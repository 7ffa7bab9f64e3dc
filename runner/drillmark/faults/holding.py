"""What holds something in a PostgreSQL server for as long as a fault lasts: sessions, kept by a helper process.

Not the process that injects: that may die. The helper stands with pid and start time in a file beside the fault's
deed before it opens a session, and its sessions carry the run in their application name: so any process finds both
again. It ends by itself where the deed is undone or gone. Connection strings reach it by its environment alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, cast

import psycopg

from drillmark import clock, files, postgres, processes
from drillmark.errors import RecoveryError
from drillmark.faults.deeds import Deed, place
from drillmark.processes import ProcessIdentity
from drillmark.recovery.activity import Configuration, Secrets
from drillmark.recovery.connecting import connect
from drillmark.recovery.marker import this_run

DSN, ADMIN_DSN = "DRILLMARK_HOLD_DSN", "DRILLMARK_HOLD_ADMIN_DSN"
ENDING = "ending"
_APPLICATION_BYTES = 50  # PostgreSQL cuts a name after 63, and the end is what differs
_POLL_SECONDS = 0.05
_GONE_SECONDS = 20.0


def begin(
    fault: str, hold: dict[str, Any], *, dsn: str, admin_dsn: str, seconds: float, configuration: Configuration
) -> list[int]:
    """Start the helper and wait until it holds what `hold` says. Returns the pids of its sessions.

    Raises RecoveryError where it does not in `seconds`; what it holds by then is held until the undo.
    """
    run = this_run() or "by-hand"
    deed = Deed.begin(
        fault, place(configuration), hold=hold, application=f"drillmark {run[-_APPLICATION_BYTES + 10 :]}"
    )
    # That of an earlier one, undone since, must not be taken for this one's.
    deed.path.with_suffix(".holder").unlink(missing_ok=True)
    log = deed.path.with_suffix(".log")
    helper = postgres.spawn(
        [sys.executable, "-m", "drillmark.faults.holder", str(deed.path)],
        environment={**os.environ, DSN: dsn, ADMIN_DSN: admin_dsn},
        log=log,
    )
    deadline = clock.monotonic_ns() + round(seconds * 1e9)
    while clock.monotonic_ns() < deadline and processes.is_alive(helper):
        told = read(deed)
        if told.get("holding"):
            return cast("list[int]", told["holding"])
        if told.get("refused"):
            break
        time.sleep(_POLL_SECONDS)
    told = read(deed)
    said = told.get("refused") or told.get("problem") or f"not within {seconds:g} s; see {log}"
    raise RecoveryError(f"{fault} did not take hold: {said}", hint="the undo takes away what there is of it")


def read(deed: Deed) -> dict[str, Any]:
    """What the helper says of itself: `pid`, `start`; `holding`: pids of its sessions, once all is held.

    `problem`: what went wrong and is tried again; `refused`: what will not be otherwise.
    """
    body = files.read_json(deed.path.with_suffix(".holder"))
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def in_effect(path: Path) -> bool:
    """Whether the deed of that file may still be held. The helper asks this all the time."""
    body = files.read_json(path)
    return isinstance(body, dict) and not body["undone"] and not body["facts"].get(ENDING)


def held(fault: str, admin_dsn: str, configuration: Configuration) -> tuple[Deed, list[int]] | None:
    """The deed that is in effect, and those of its sessions that live, as the server knows them; None: nothing is."""
    deed = Deed.read(fault, place(configuration))
    if deed is None or not in_effect(deed.path) or not read(deed).get("holding"):
        return None
    try:
        with connect(admin_dsn) as connection:
            rows = connection.execute(
                "select pid from pg_stat_activity where application_name = %s", (deed.facts["application"],)
            ).fetchall()
    except psycopg.Error as error:
        raise RecoveryError(f"the store does not say who holds what: {error}") from error
    return deed, [int(row[0]) for row in rows]


def end(fault: str, admin_dsn: str, configuration: Configuration) -> str:
    """Let go, at whatever point the beginning was cut short: the helper is ended, then every session of it.

    Raises RecoveryError where the server does not answer, or a session does not end: then some of it may be held.
    """
    deed = Deed.read(fault, place(configuration))
    if deed is None or deed.undone:
        return deed.undone if deed else "nothing was held"
    # Said first: a helper that is only just beginning reads it before it opens a session.
    Deed(deed.path, deed.site, deed.facts | {ENDING: True}).write()
    told = read(deed)
    if told:
        helper = ProcessIdentity(int(told["pid"]), str(told["start"]))
        if not processes.end(helper, group=True, grace_seconds=0):
            raise RecoveryError(f"the helper {helper.pid} that holds {fault} does not end")
    _end_sessions(deed.facts["application"], admin_dsn)
    return deed.end("all of it was let go")


def admin_setting(given: str | None, dsn: str, secrets: Secrets) -> str:
    """How to connect when nobody else can: the argument, `admin_dsn` in the secrets, else as users do."""
    return str(given or (secrets or {}).get("admin_dsn") or dsn)


def _end_sessions(application: str, admin_dsn: str) -> None:
    deadline = clock.monotonic_ns() + round(_GONE_SECONDS * 1e9)
    while True:
        try:
            with connect(admin_dsn) as connection:
                # Each row says which session it is, so a pid that is somebody else's by now is not hit.
                left = connection.execute(
                    "select pid, pg_terminate_backend(pid) from pg_stat_activity where application_name = any(%s)",
                    ([application, f"{application} admin"],),
                ).fetchall()
            problem = f"sessions {', '.join(str(row[0]) for row in left)} do not end" if left else ""
        except psycopg.Error as error:
            problem = f"the store does not say whether its sessions ended: {str(error).strip()}"
        if not problem:
            return
        if clock.monotonic_ns() > deadline:
            raise RecoveryError(problem)
        time.sleep(_POLL_SECONDS)


def write(path: Path, body: dict[str, Any]) -> None:
    """The helper's word on itself, durably, beside the deed at `path`."""
    files.write_durably(path.with_suffix(".holder"), json.dumps(body))
