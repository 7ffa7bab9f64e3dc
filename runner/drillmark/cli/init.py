"""`drillmark init`: a new workspace, with the shipped drills in it. Must never overwrite anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from drillmark.cli import called, terminal
from drillmark.errors import DrillmarkError, UsageError

# What a workspace is made of: files, and folders with all that is in them.
PARTS = ("drillmark.yaml", "targets.yaml", "drills", "experiments", "environments", "schemas")
IGNORED = """# What runs leave behind. The gap register and the definitions belong into version control.
/.drillmark/
/reports/runs/
__pycache__/
"""
_SKIPPED = {"__pycache__", ".DS_Store"}


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(directory: Path, *, as_json: bool) -> None:
    """Make a workspace: settings, targets, drills, experiments.

    DIRECTORY is made if it is not there. Nothing that is there is overwritten: if any file of the workspace already
    exists, nothing is written at all, and the exit code is 2.
    """
    files = {path: source.read_bytes() for path, source in contents(source_folder())}
    files[".gitignore"] = IGNORED.encode()
    directory = directory.expanduser()
    _refuse_overwriting(directory, files)
    _write(directory, files)
    if as_json:
        terminal.echo_json({"directory": str(directory.resolve()), "files": sorted(files)})
        return
    click.echo(f"Made a workspace in {directory}: {len(files)} files.")
    click.echo("What comes next:")
    click.echo(f"  cd {_quoted(directory)}")
    drillmark = called.command(anywhere=True)
    click.echo(f"  {drillmark} validate")
    click.echo(f"  {drillmark} run drills/quarterly/orders-db-lost.yaml")


def source_folder() -> Path:
    """Where the shipped workspace lies: in the wheel, or the repository around an editable install."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_workspace", package.parents[1]):
        if (folder / "drillmark.yaml").is_file() and (folder / "drills").is_dir():
            return folder
    hint = "install the wheel, or run from a checkout"
    raise DrillmarkError("this installation carries no workspace", hint=hint, code="no-workspace")


def contents(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file of the shipped workspace: its path in the workspace, and where it is read from."""
    for part in PARTS:
        top = folder / part
        found = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        for path in found:
            inside = path.relative_to(folder)
            if not _SKIPPED.intersection(inside.parts) and path.suffix != ".pyc":
                yield inside.as_posix(), path


def _refuse_overwriting(directory: Path, files: dict[str, bytes]) -> None:
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is not a directory")
    there = [path for path in files if (directory / path).exists() or (directory / path).is_symlink()]
    if there:
        more = f" and {len(there) - 3} more" if len(there) > 3 else ""  # noqa: PLR2004
        hint = "nothing was written; choose another directory"
        raise UsageError(f"{directory} already has {', '.join(sorted(there)[:3])}{more}", hint=hint)


def _write(directory: Path, files: dict[str, bytes]) -> None:
    try:
        for name, data in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # "x": a file that came into being in the meantime is not overwritten either.
            with path.open("xb") as file:
                file.write(data)
    except OSError as error:
        raise UsageError(f"{error.filename or directory} cannot be written: {error.strerror}") from error


def _quoted(directory: Path) -> str:
    import shlex

    return shlex.quote(str(directory))
