"""Pictures of charts without a browser: SVG and PNG of the definitions that the page shows, by vl-convert.

vl-convert comes with the extra `report`; whoever asks for a picture without it is told so.
"""

from __future__ import annotations

from typing import Any

from drillmark.errors import UsageError
from drillmark.report.charts import theme

_SCALE = 2.0


def svg(spec: dict[str, Any], *, dark: bool = False) -> str:
    """A chart as an SVG that stands alone. Raises UsageError where vl-convert is missing or refuses."""
    try:
        import vl_convert  # noqa: PLC0415 (an extra, and large)
    except ImportError as error:
        raise UsageError(
            "pictures need vl-convert, which is not installed", hint="pip install 'drillmark[report]'"
        ) from error
    try:
        drawn: str = vl_convert.vega_to_svg(spec, allowed_base_urls=[])
    except ValueError as error:
        raise UsageError(f"the chart could not be drawn: {str(error)[:300]}") from error
    return theme.paint(drawn, theme.DARK if dark else theme.LIGHT)


def png(spec: dict[str, Any], *, dark: bool = False) -> bytes:
    """The same as pixels, twice as many as points, for sharp screens."""
    drawn = svg(spec, dark=dark)
    import vl_convert  # noqa: PLC0415

    made: bytes = vl_convert.svg_to_png(drawn, scale=_SCALE)
    return made
