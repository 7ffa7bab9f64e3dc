"""`drillmark schema`: JSON Schemas of the files that people write, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from drillmark.errors import UsageError

NAMES = ("drill", "targets", "settings")


@click.command()
@click.argument("name", type=click.Choice(NAMES), required=False)
@click.option("--write", is_flag=True, help="Write schemas/NAME.json of this workspace instead (without NAME: all).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, which is what is printed anyway.")
def command(name: str | None, *, write: bool, as_json: bool) -> None:
    """Print the JSON Schema of a file that you write: a drill, the targets, or the settings.

    Editors complete and check with it: the first line of a drill is
    `# yaml-language-server: $schema=../../schemas/drill.json`.
    """
    del as_json
    from drillmark.define import schema

    if write:
        from drillmark import workspace

        folder = workspace.find() / "schemas"
        for each in (name,) if name else NAMES:
            path = folder / f"{each}.json"
            _write(path, schema.text(each))
            click.echo(f"wrote {path}")
    elif name is None:
        raise UsageError("which schema?", hint=f"one of {', '.join(NAMES)}, or --write for all")
    else:
        click.echo(schema.text(name), nl=False)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
