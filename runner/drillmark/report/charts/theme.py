"""Colours, type and hatching of the charts: names that the page's stylesheet gives a value, and values for pictures.

In a page a colour is `var(--good)`, so that dark, light and print need no second drawing. Colours are told apart by
those who see few of them, and never alone carry a meaning: shape, place or hatching always says the same.
"""

from __future__ import annotations

from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1c2128",
    "muted": "#57606a",
    "line": "#d5dbe1",
    "wash": "#f4f6f8",
    "good": "#00735c",
    "bad": "#b93a0e",
    "doubt": "#7d5700",
    "accent": "#0a5ea8",
    "soft": "#9cc4e4",
}
DARK = {
    "paper": "#11161c",
    "ink": "#e6ebf0",
    "muted": "#a3afbb",
    "line": "#323c47",
    "wash": "#1a212a",
    "good": "#4fd1b0",
    "bad": "#ff9468",
    "doubt": "#e6b84c",
    "accent": "#7cbcf5",
    "soft": "#2f587a",
}

# For whatever is missing. The page has them once, a picture within itself.
PATTERNS = (
    '<pattern id="dm-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="var(--paper)"/><rect width="2" height="6" fill="var(--muted)"/></pattern>'
    '<pattern id="dm-faint" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="1.2" height="8" fill="var(--muted)" fill-opacity="0.55"/></pattern>'
)
HATCH = "url(#dm-hatch)"
FAINT = "url(#dm-faint)"


def colour(name: str) -> str:
    """A colour of the theme, as it stands in a chart."""
    assert name in LIGHT, name
    return f"var(--{name})"


def config() -> dict[str, Any]:
    """What all charts share."""
    text = {"labelFont": FONT, "titleFont": FONT, "labelColor": colour("muted"), "titleColor": colour("muted")}
    return {
        "background": None,
        "axis": text
        | {
            "labelFontSize": 11,
            "domainColor": colour("line"),
            "tickColor": colour("line"),
            "gridColor": colour("line"),
            "gridOpacity": 0.6,
            "tickSize": 4,
            "labelPadding": 4,
        },
        "text": {"font": FONT, "fill": colour("ink"), "fontSize": 11},
        "style": {"cell": {"stroke": None}},
    }


def paint(svg: str, values: dict[str, str]) -> str:
    """A picture that needs no stylesheet: every colour by its value, the hatching within."""
    head, mark, rest = svg.partition(">")
    sheet = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    svg = f"{head}{mark}<defs>{PATTERNS}</defs>{sheet}{rest}"
    for name, value in values.items():
        svg = svg.replace(f"var(--{name})", value)
    return svg
