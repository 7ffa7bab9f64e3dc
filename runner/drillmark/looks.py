"""Templates and style of the pages without a script: the workspace's own where it has them, else the shipped ones.

The edge of `report.leaves`. A workspace's template that is wrong costs its looks, not the page.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from drillmark.errors import UsageError
from drillmark.files import inside
from drillmark.report import files, leaves

_BRAND = "brand.css"

Document = dict[str, Any]


def period(document: Document, reports: Path | None) -> str:
    """The page of a period. `reports`: the workspace's folder, whose templates are used; None: it has none."""
    return _page(leaves.period, document, reports)


def comparison(document: Document, reports: Path | None) -> str:
    """The page of a comparison."""
    return _page(leaves.comparison, document, reports)


def _page(make: Callable[[Document, leaves.Texts], str], document: Document, reports: Path | None) -> str:
    try:
        return make(document, texts(reports))
    except UsageError:
        if reports is None:
            raise
        return make(document, texts(None))


def texts(reports: Path | None) -> leaves.Texts:
    """What the pages are made of."""
    templates: dict[str, str] = {}
    for name in (leaves.PERIOD, leaves.COMPARISON):
        shipped = _clean(files.shipped(name))
        templates |= {name: _own(reports, name) or shipped, f"drillmark/{name}": shipped}
    style = "\n".join(_own(reports, name) or _clean(files.shipped(name)) for name in leaves.STYLES)
    brand = _own(reports, _BRAND)
    return leaves.Texts(templates, style + (f"\n{brand}" if brand else ""))


def _own(reports: Path | None, name: str) -> str | None:
    if reports is None:
        return None
    with suppress(UsageError, OSError, ValueError):
        return _clean(inside(reports, f"templates/{name}"))
    return None


def _clean(path: Path) -> str:
    # A browser reads every line end as this one, and the page's policy names a hash of what it reads.
    return path.read_text(encoding="utf-8").replace("\r\n", "\n").replace("\r", "\n")
