"""The edge of the reports: finds templates, writes files. The only module of this part that touches a disk.

Each file is replaced as a whole, mode 0600. Must never write half a result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillmark.errors import UsageError
from drillmark.files import inside, write_all_durably
from drillmark.model.entry import Entry
from drillmark.model.measurement import Measurements
from drillmark.model.plan import Plan
from drillmark.model.verdict import Verdict
from drillmark.report import document, junit, plain, words

if TYPE_CHECKING:
    from drillmark.model.gap import Gap

RESULT, REPORT, JUNIT = "result.json", "report.md", "junit.xml"
TEMPLATE = "report.md.j2"


def write(
    run_dir: Path,
    plan: Plan,
    entries: Sequence[Entry],
    measurements: Measurements,
    verdict: Verdict,
    gaps: Sequence[Gap],
) -> None:
    """Write `result.json`, `junit.xml` and `report.md` into a run's directory (`reports/runs/<run id>`).

    A workspace's own template that is wrong costs nothing but its looks: the shipped one is taken, and the report
    says so. Raises OSError where a file cannot be written.
    """
    result = document.build(plan, entries, measurements, verdict, gaps)
    texts = {
        RESULT: to_json(result), JUNIT: junit.render(result), REPORT: report_text(result, run_dir.parent.parent),
    }  # fmt: skip
    write_all_durably({run_dir / name: text for name, text in texts.items()})


def report_text(result: dict[str, Any], reports: Path, pictures: Mapping[str, str] | None = None) -> str:
    """The text of `report.md`, by the template of the workspace's `reports` folder or the shipped one.

    That of a bare experiment has none. `pictures`: name of a chart -> file beside the text.
    """
    own, shipped = reports / "templates" / TEMPLATE, shipped_template()
    if result["mode"] == "experiment":
        return plain.render(result)
    # Whoever has no drill does not wait for templates.
    from drillmark.report import markdown  # noqa: PLC0415

    if not own.is_file() or own.resolve() == shipped.resolve():
        return markdown.render(result, shipped.read_text(encoding="utf-8"), pictures)
    try:
        return markdown.render(result, own.read_text(encoding="utf-8"), pictures)
    except (UsageError, OSError, ValueError) as error:
        text = markdown.render(result, shipped.read_text(encoding="utf-8"), pictures)
        return f"{text}\n(reports/templates/{TEMPLATE} was not used: {words.markdown(str(error))})\n"


def to_json(result: dict[str, Any]) -> str:
    """The document as the text of `result.json`."""
    return json.dumps(result, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def read(run_dir: Path) -> dict[str, Any] | None:
    """The stored result of a run; None where the run has not been concluded. Raises UsageError if it is damaged."""
    path = inside(run_dir, RESULT)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read {path}: {error}", hint="`drillmark measure RUN` measures the run again"
        ) from error
    if not isinstance(found, dict) or found.get("schema") != document.SCHEMA:
        schema = found.get("schema") if isinstance(found, dict) else None
        raise UsageError(
            f"{path} is not a {document.SCHEMA} document (its schema is {schema!r})",
            hint="`drillmark measure RUN` measures the run again",
        )
    return found


def shipped_template() -> Path:
    """The template of `report.md` that comes with Drillmark."""
    return shipped(TEMPLATE)


def shipped(name: str) -> Path:
    """A template that comes with Drillmark: in the wheel, or in the checkout around an editable install."""
    package = Path(__file__).resolve().parent
    in_wheel = package / "templates" / name
    return in_wheel if in_wheel.is_file() else package.parents[2] / "reports" / "templates" / name
