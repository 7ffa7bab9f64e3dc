"""The edge of the reports: finds templates, writes files. The only module of this part that touches a disk.

Each file is replaced as a whole, mode 0600. Must never write half a result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drillmark.errors import UsageError
from drillmark.files import write_durably
from drillmark.model.entry import Entry
from drillmark.model.gap import Gap
from drillmark.model.measurement import Measurements, Verdict
from drillmark.model.plan import Plan
from drillmark.report import document, junit, markdown

RESULT, REPORT, JUNIT = "result.json", "report.md", "junit.xml"
_TEMPLATE = "report.md.j2"


def write(
    run_dir: Path,
    plan: Plan,
    entries: Sequence[Entry],
    measurements: Measurements,
    verdict: Verdict,
    gaps: Sequence[Gap],
) -> None:
    """Write `result.json`, `junit.xml` and `report.md` into a run's directory (`reports/runs/<run id>`).

    The result comes first: a wrong template of the workspace costs the report, not the result. Raises OSError, and
    UsageError where the template is wrong.
    """
    result = document.build(plan, entries, measurements, verdict, gaps)
    write_durably(run_dir / RESULT, to_json(result))
    write_durably(run_dir / JUNIT, junit.render(result))
    write_durably(run_dir / REPORT, markdown.render(result, template(run_dir.parent.parent)))


def to_json(result: dict[str, Any]) -> str:
    """The document as the text of `result.json`."""
    return json.dumps(result, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def read(run_dir: Path) -> dict[str, Any] | None:
    """The stored result of a run; None where the run has not been concluded. Raises UsageError if it is damaged."""
    path = run_dir / RESULT
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


def template(reports: Path) -> str:
    """The report's template: the workspace's own (`reports/templates/`), else the one that comes with Drillmark."""
    package = Path(__file__).resolve().parent
    candidates = (
        reports / "templates" / _TEMPLATE,
        package / "templates" / _TEMPLATE,  # in a wheel
        package.parents[2] / "reports" / "templates" / _TEMPLATE,  # in a checkout
    )
    for path in candidates:
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise UsageError("no report template was found", hint=f"put one at {candidates[0]}")
