"""What the place where output goes can show, and JSON for machines.

Plain means: no colour, no cursor movement, no drawing characters that the encoding lacks.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console


def is_plain() -> bool:
    """Whether output must be plain lines: not a terminal, a dumb one, or colour is not wanted."""
    return not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "") in {"", "dumb"}


def can_draw() -> bool:
    """Whether the output's encoding has the characters for strips and bars."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "■·█░▏✗…".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def console() -> Console:
    """A rich console for a terminal."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, markup=False)


def echo_json(value: Any) -> None:
    """Print a value as JSON, for machines: stable key order as given, non-ASCII kept out of the way."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False))


def echo_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Print lines of (text, style): styled on a terminal, else the texts alone."""
    plain = is_plain()
    for text, style in lines:
        shown = text if can_draw() else ascii_only(text)
        click.echo(shown if plain or not style else click.style(shown, **_STYLES[style]), color=not plain)


def ascii_only(text: str) -> str:
    """The text where only ASCII can be shown: drawing characters get a stand-in, the rest a question mark."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def table(rows: list[list[str]], heads: list[str]) -> list[str]:
    """Rows as aligned plain columns under their heads; the last column is not padded."""
    widths = [max(len(row[index]) for row in [heads, *rows]) for index in range(len(heads))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [heads, *rows]
    ]


_STYLES: dict[str, dict[str, Any]] = {
    "good": {"fg": "green", "bold": True},
    "bad": {"fg": "red", "bold": True},
    "doubt": {"fg": "yellow", "bold": True},
    "head": {"bold": True},
    "dim": {"dim": True},
}
_STANDINS = {
    "■": "#",
    "·": ".",
    "█": "#",
    "░": "-",
    "✗": "x",
    "…": "~",
    "\N{EN DASH}": "-",
    "\N{REPLACEMENT CHARACTER}": "?",
}
_ASCII = str.maketrans(_STANDINS)
