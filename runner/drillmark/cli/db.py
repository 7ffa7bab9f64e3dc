"""`drillmark db`: the database that several machines share: brought to the newest version, looked at, backed up."""

from __future__ import annotations

from pathlib import Path

import click

from drillmark.cli import terminal

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """Drillmark's own database on PostgreSQL: migrate it, check it, back it up."""


@command.command()
@_json
def migrate(*, as_json: bool) -> None:
    """Bring the database to the newest version; one that has it stays as it is.

    All migrations are one transaction: where one fails, the database is as it was. Back it up first.
    """
    from drillmark.database import migrating

    done = migrating.migrate(_url())
    if as_json:
        terminal.echo_json({"database": done.place, "before": done.before or None, "after": done.after})
    elif done.before == done.after:
        click.echo(f"{done.place} has revision {done.after} already")
    else:
        click.echo(f"{done.place} went from {done.before or 'nothing'} to revision {done.after}")


@command.command()
@_json
def check(*, as_json: bool) -> None:
    """Say whether the database can be reached, and has a version that this Drillmark works with."""
    from drillmark.database import migrating, versions

    place, version = migrating.check(_url())
    if as_json:
        known = {"revision": version.revision, "format": version.format}
        terminal.echo_json({"database": place, "needed_revision": versions.HEAD} | known)
        return
    newer = ", which a newer drillmark has made and this one can work with" if version.is_ahead else ""
    click.echo(f"{place} is reached and has revision {version.revision}{newer}")


@command.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Tables dumped at a time.")
@_json
def backup(directory: Path, *, jobs: int, as_json: bool) -> None:
    """Take a backup into DIRECTORY, as the drill on Drillmark's own database restores it.

    By `pg_dump -Fd`, with the server's roles and a checksum for each file. Needs a superuser, for the roles' passwords.
    """
    url = _url()
    from drillmark.recovery import dumps
    from drillmark.recovery.target import iso

    made = dumps.take(directory.expanduser().absolute(), url, jobs=jobs)
    if as_json:
        told = {"directory": str(made.directory), "database": made.database, "taken": iso(made.taken_wall_ns)}
        terminal.echo_json(told | {"bytes": made.bytes})
        return
    click.echo(
        f"{made.directory} holds the database {made.database} as of {iso(made.taken_wall_ns)}: {made.bytes} bytes"
    )


def _url() -> str:
    import importlib.util

    from drillmark.database import address
    from drillmark.errors import UsageError

    url = address.configured()
    if not url:
        raise UsageError(
            f"{address.URL} is not set: this workspace keeps all it has in its own files",
            hint=f"{address.URL}=postgresql://user@host/drillmark drillmark db migrate",
        )
    if importlib.util.find_spec("psycopg") is None:
        raise UsageError("there is no psycopg here to reach the database", hint="pip install 'drillmark[fleet]'")
    return url
