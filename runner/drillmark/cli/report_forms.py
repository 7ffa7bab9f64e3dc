"""The forms of a run's report that take another program or several files: Markdown with its pictures, and PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark.errors import UsageError

if TYPE_CHECKING:
    from drillmark.cli.stored import StoredRun


def markdown(found: StoredRun, result: dict[str, Any], output: Path | None) -> Path:
    """Write the Markdown and its pictures, which stand beside it and render on GitHub. Its path."""
    from drillmark import pages
    from drillmark.report import drawing, files

    path = output or found.directory / files.REPORT
    drawn = pages.charts(found.directory, found.entries, result).named() if result["mode"] != "experiment" else {}
    pictures: dict[str, str] = {}
    for name, spec in drawn.items():
        pictures[name] = f"{path.stem}-{name}.svg"
        write(path.with_name(pictures[name]), drawing.svg(spec))
    write(path, files.report_text(result, found.directory.parent.parent, pictures))
    return path


def pdf(found: StoredRun, result: dict[str, Any], output: Path | None) -> Path:
    """Print the page to PDF by Chromium. Its path. Raises UsageError where there is none."""
    import tempfile

    from drillmark import files, pages, printing

    program = printing.browser()
    path = output or found.directory / "report.pdf"
    with tempfile.TemporaryDirectory(prefix="drillmark-page-") as folder:
        page = Path(folder) / pages.PAGE
        page.write_text(pages.text(found.directory, found.entries, result), encoding="utf-8")
        content = printing.print_page(page, program=program)
    try:
        files.write_bytes_whole(path, content)
    except OSError as error:
        raise _cannot(path, error) from error
    return path


def write(path: Path, content: str) -> None:
    """Write a text as a whole. Raises UsageError where that cannot be."""
    from drillmark import files

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, content)
    except OSError as error:
        raise _cannot(path, error) from error


def _cannot(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {error.strerror}", hint="name another file with --output")
