"""Leads users to the restored cluster: the lab by its supervisor, anything else by its libpq service file.

Idempotent: what is done already is not done again. Must never lead users to a copy that is not complete.
"""

from __future__ import annotations

import configparser
import io
import time
from pathlib import Path
from typing import Any

import psycopg

from drillmark import clock, files, postgres, site
from drillmark.errors import RecoveryError
from drillmark.recovery import server
from drillmark.recovery.activity import logger
from drillmark.recovery.connecting import connect

_POLL_SECONDS = 0.02


def in_lab(control: str, directory: Path, port: int) -> dict[str, Any]:
    """Have the lab's supervisor adopt the restored cluster and lead users to it. Raises LabError, RecoveryError."""
    if not control:
        raise RecoveryError("nobody says what to switch", hint="give `service_file` and `service`, or start the lab")
    name = directory.name
    before = site.status(control)
    if before["primary"] == name:
        logger.info("%s serves already", name)
        return {"serves": name, "port": port, "already": True}
    server.archive_again(directory)
    site.adopt(control, name, directory, port)
    site.switch(control, name)
    logger.info("switched over from %s to %s", before["primary"], name)
    return {"serves": name, "port": port, "already": False}


def by_service_file(path: Path, service: str, directory: Path, host: str, port: int) -> dict[str, Any]:
    """Let one section of a libpq service file lead to the restored cluster. Raises RecoveryError.

    The file is replaced in one step and keeps its other sections; comments in it are lost.
    """
    if postgres.postmaster(directory) is None:
        raise RecoveryError(f"no server runs in {directory}: nothing was switched")
    sections = configparser.RawConfigParser(comment_prefixes=("#",), inline_comment_prefixes=None, strict=False)
    # Names of libpq parameters are lower case; those of services are whatever the user likes.
    try:
        sections.read_string(path.read_text(encoding="utf-8"))
    except (OSError, configparser.Error) as error:
        raise RecoveryError(f"cannot read the service file {path}: {error}") from error
    if not sections.has_section(service):
        raise RecoveryError(f"service file {path} has no section [{service}]")
    already = (sections[service].get("host"), sections[service].get("port")) == (host, str(port))
    server.archive_again(directory)
    if not already:
        sections[service]["host"], sections[service]["port"] = host, str(port)
        sections.remove_option(service, "hostaddr")
        text = io.StringIO()
        sections.write(text, space_around_delimiters=False)
        files.write_durably(path, text.getvalue())
    logger.info("service %s in %s leads to %s:%d", service, path, host, port)
    return {"serves": directory.name, "port": port, "already": already}


def wait_until_led_there(dsn: str, port: int, timeout_seconds: float) -> None:
    """Connect as users do until the server with this port answers. Raises RecoveryError when it does not."""
    deadline = clock.monotonic_ns() + round(timeout_seconds * 1e9)
    seen = "nobody"
    while True:
        try:
            with connect(dsn) as connection:
                row = connection.execute("select current_setting('port')::int, pg_is_in_recovery()").fetchone()
            if row == (port, False):
                return
            seen = f"a server on port {row[0]}{', read-only' if row[1] else ''}" if row else seen
        except psycopg.Error as error:
            seen = str(error).strip() or type(error).__name__
        if clock.monotonic_ns() > deadline:
            raise RecoveryError(f"after the switch-over users are not led to port {port}: {seen}")
        time.sleep(_POLL_SECONDS)
