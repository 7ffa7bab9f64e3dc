"""`drillmark lab`: the embedded system under test, up and down."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drillmark.lab.state import LabState

_UNITS = {"": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]b)?", re.IGNORECASE)


class Size(click.ParamType):
    """A number of bytes with a unit: `16MB`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not a size; write it like 16MB or 1GB", param, ctx)
        return round(float(found[1]) * _UNITS[(found[2] or "").lower()])


_directory = click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the lab lies; else .drillmark/lab in the workspace.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """The embedded lab: a real PostgreSQL with backups and an archive, and an order service on it."""


@command.command()
@click.option("--scale", type=Size(), default="16MB", show_default=True, help="How much data the database holds.")
@_directory
@_json
def up(scale: int, directory: Path | None, *, as_json: bool) -> None:
    """Bring the lab up; a lab that is up stays as it is."""
    from drillmark import lab
    from drillmark.cli.run import forget_callers_postgres

    forget_callers_postgres()
    _print(lab.up(directory or default_directory(), scale_bytes=scale), as_json=as_json)


@command.command()
@_directory
@_json
def down(directory: Path | None, *, as_json: bool) -> None:
    """Take the lab away: no process and no file of it stays."""
    from drillmark import lab

    place = directory or default_directory()
    was_there = lab.down(place)
    if as_json:
        click.echo(json.dumps({"directory": str(place), "was_there": was_there}))
    else:
        click.echo("The lab is down; nothing of it is left." if was_there else f"There is no lab in {place}.")


@command.command()
@_directory
@_json
def status(directory: Path | None, *, as_json: bool) -> None:
    """Say how the lab is."""
    from drillmark import lab

    place = directory or default_directory()
    found = lab.status(place)
    if found is not None:
        _print(found, as_json=as_json)
    elif as_json:
        click.echo(json.dumps({"directory": str(place), "state": "absent"}))
    else:
        click.echo(f"There is no lab in {place}. `drillmark lab up` makes one.")


def default_directory() -> Path:
    """`.drillmark/lab` in the workspace around the working directory, or right there if there is none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "drillmark.yaml").is_file():
            return folder / ".drillmark" / "lab"
    return here / ".drillmark" / "lab"


def _print(lab: LabState, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(lab.as_json(), indent=2))
        return
    click.echo(f"The lab is {lab.state}" + (f": {lab.detail}." if lab.detail else "."))
    click.echo(f"  order service  {lab.environment['ORDERS_URL']}  ({lab.service.state})")
    for cluster in lab.clusters.values():
        marks = [
            mark
            for mark, true in (
                ("primary", cluster.name == lab.primary),
                ("held", cluster.held),
                ("retired", cluster.retired),
            )
            if true
        ]
        about = ", ".join([cluster.state, *marks])
        click.echo(f"  cluster {cluster.name}  127.0.0.1:{cluster.port}  ({about})")
    click.echo(f"  newest backup  {lab.last_backup or 'none'}")
    click.echo(f"  directory      {lab.directory}")


__all__ = ["command", "default_directory"]
