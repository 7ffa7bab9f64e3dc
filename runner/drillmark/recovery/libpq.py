"""How PostgreSQL's client programs are led to a store: just as psycopg is, and with no password in their arguments."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from drillmark import postgres
from drillmark.errors import LabError, RecoveryError

_DAY_SECONDS = 24 * 3600.0
_SECRET = {"password": "PGPASSWORD", "sslpassword": ""}


def split(dsn: str) -> tuple[str, dict[str, str]]:
    """The part of a connection string that everybody may see, and the variables for the rest. Raises RecoveryError.

    What stands in a connection string goes before a service file, and that before the environment: so only what is
    secret goes there.
    """
    try:
        said = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.Error as error:
        raise RecoveryError(f"the connection string makes no sense: {error}") from error
    variables = {option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    kept = {name: value for name, value in os.environ.items() if name in variables or name == "PGSYSCONFDIR"}
    for name, variable in _SECRET.items():
        value = said.pop(name, None)
        if value is not None and not variable:
            raise RecoveryError(f"PostgreSQL's programs cannot be told `{name}` without showing it to everybody")
        if value is not None:
            kept[variable] = value
    return make_conninfo("", **said), kept


def run(program: str, *arguments: str | Path, dsn: str, timeout_seconds: float = _DAY_SECONDS) -> str:
    """Run one of PostgreSQL's client programs against a store; returns what it printed. Raises RecoveryError.

    `{dsn}` among the arguments becomes the connection string, without its password.
    """
    shown, environment = split(dsn)
    words = [shown if word == "{dsn}" else word for word in arguments]
    try:
        argv: list[str | Path] = [postgres.binary(program), *words]
        return postgres.run(argv, timeout_seconds=timeout_seconds, environment=environment).stdout
    except LabError as error:
        raise RecoveryError(str(error), hint=error.hint) from error
