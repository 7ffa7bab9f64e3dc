"""The edge of the report's page: reads a run's files and the templates, writes `report.html`.

Reads only `result.json`, the journal, `plan.json`, the progress file and the samples. A page that cannot be written is
told; it must never change a run's verdict, and never cost a run its end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark.errors import DrillmarkError, UsageError
from drillmark.files import inside, read_json_lines, write_whole
from drillmark.journal.entries import concluded
from drillmark.model.entry import Entry
from drillmark.report import files

if TYPE_CHECKING:
    from drillmark.report.charts import Charts, Earlier
    from drillmark.report.page import Assets, Material

PAGE = "report.html"
TEMPLATE, STYLE, SCRIPT, BRAND = "report.html.j2", "report.css", "report.js", "brand.css"
LIBRARIES = ("vega.min.js", "vega-interpreter.min.js")
_EARLIER = 20
_EARLIER_BYTES = 4_000_000


def write_after_run(directory: Path, entries: Sequence[Entry]) -> str:
    """Write the page of a run that has just ended. Returns why it could not be, empty where it was. Never raises."""
    try:
        result = files.read(directory)
        if result is None:
            return "there is no result"
        if result["mode"] == "experiment":
            # Whoever has no drill does not wait for templates either.
            from drillmark.report.page import plain  # noqa: PLC0415

            write_whole(directory / PAGE, plain.render(result, entries, _shipped(STYLE)))
        else:
            # No evidence: it can be made again, so nobody waits for the disk.
            write_whole(directory / PAGE, text(directory, entries, result))
    except Exception as error:  # noqa: BLE001 (whatever it is: the run has ended, and its verdict stands)
        hint = f" ({error.hint})" if isinstance(error, DrillmarkError) and error.hint else ""
        return f"{str(error) or repr(error)}{hint}"
    return ""


def report_of(directory: Path) -> Path:
    """What a person opens first: the page, or `report.md` where none could be written."""
    page = directory / PAGE
    return page if page.exists() else directory / files.REPORT


def text(directory: Path, entries: Sequence[Entry], result: dict[str, Any]) -> str:
    """The page. Raises UsageError where a run's own files, or a workspace's template, do not allow it."""
    from drillmark.report import page  # noqa: PLC0415 (templates and charts are imported by whoever wants a page)

    told = material(directory, entries, result)
    reports = directory.parent.parent
    own = assets(reports)
    try:
        return page.render(told, own)
    except UsageError as error:
        if not _own_template(reports):
            raise
        # A template of the workspace that is wrong costs its looks, not the page.
        shipped = assets(None)
        said = f"reports/templates/{TEMPLATE} was not used: {error}"
        told.document["flags"].append(said)
        return page.render(told, shipped)


def charts(directory: Path, entries: Sequence[Entry], result: dict[str, Any]) -> Charts:
    """The definitions of a run's charts, for pictures without a page."""
    from drillmark.report import charts as defined  # noqa: PLC0415

    told = material(directory, entries, result)
    return defined.define(told.document, told.series, told.earlier)


def material(directory: Path, entries: Sequence[Entry], result: dict[str, Any]) -> Material:
    """What is told of a run."""
    from drillmark import runs  # noqa: PLC0415
    from drillmark.report import series  # noqa: PLC0415
    from drillmark.report.page import Material  # noqa: PLC0415

    plan = runs.read_plan(directory)
    evidence = runs.read_evidence(directory, plan, concluded(entries))
    progress: list[dict[str, Any]] = []
    with suppress(UsageError, OSError, ValueError):
        progress = read_json_lines(inside(directory, "progress.jsonl"))
    reduced = series.reduce(evidence, progress)
    shown = plan.model_dump(mode="json")
    return Material(dict(result), tuple(entries), shown, reduced, earlier(directory, result))


def earlier(directory: Path, result: dict[str, Any]) -> list[Earlier]:
    """The results of the runs of the same drill that came before, oldest first; at most the last twenty."""
    from drillmark.report.charts import Earlier  # noqa: PLC0415

    found: list[Earlier] = []
    mine, drill = str(result["run"]), str(result["drill"])
    with suppress(OSError):
        names = sorted(path.name for path in directory.parent.iterdir() if f"-{drill}-" in path.name)
        for name in [name for name in names if name < mine][-_EARLIER:]:
            before = _result(directory.parent / name)
            if before is not None and before.get("drill") == drill:
                rta, rpa = before["rto"]["observed_seconds"], before["rpo"]["observed_seconds"]
                found.append(Earlier(name, str(before["started"]), str(before["verdict"]), rta, rpa))
    return found


def assets(reports: Path | None) -> Assets:
    """The texts of a page: those of the workspace's `reports/templates` where it has them, else the shipped ones."""
    from drillmark.report.page import Assets  # noqa: PLC0415

    def own(name: str) -> str | None:
        if reports is None:
            return None
        with suppress(UsageError, OSError, ValueError):
            return _clean(inside(reports, f"templates/{name}").read_text(encoding="utf-8"))
        return None

    shipped = _shipped(TEMPLATE)
    brand = own(BRAND)
    return Assets(
        templates={TEMPLATE: own(TEMPLATE) or shipped, f"drillmark/{TEMPLATE}": shipped},
        style=(own(STYLE) or _shipped(STYLE)) + (f"\n{brand}" if brand else ""),
        script=own(SCRIPT) or _shipped(SCRIPT),
        libraries=tuple(_library(name) for name in LIBRARIES),
    )


def _own_template(reports: Path) -> bool:
    own = reports / "templates" / TEMPLATE
    return own.is_file() and own.resolve() != files.shipped(TEMPLATE).resolve()


def _shipped(name: str) -> str:
    return _clean(files.shipped(name).read_text(encoding="utf-8"))


def _library(name: str) -> str:
    folder = Path(files.__file__).resolve().parent / "assets"
    return _clean((folder / name).read_text(encoding="utf-8"))


def _clean(content: str) -> str:
    # A browser reads every line end as this one, and the page's policy names a hash of what it reads.
    return content.replace("\r\n", "\n").replace("\r", "\n")


def _result(directory: Path) -> dict[str, Any] | None:
    """An earlier result, as far as it can be read: a damaged one costs no page."""
    with suppress(DrillmarkError, OSError, ValueError, KeyError, TypeError):
        path = inside(directory, files.RESULT)
        if path.stat().st_size > _EARLIER_BYTES:
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and isinstance(found["rto"], dict) and isinstance(found["rpo"], dict):
            return found
    return None
