"""What people hear of `DRILLMARK_ARTIFACTS`: after a run, and beside a worker. Wires; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillmark.cli.beside import looking

if TYPE_CHECKING:
    from drillmark.artifacts import Place


def after(root: Path, run: str) -> None:
    """Keep a run that this process has ended, and what waits; what cannot be kept is said and fails nothing."""
    from drillmark import artifacts
    from drillmark.cli import states
    from drillmark.errors import DrillmarkError
    from drillmark.report import words

    try:
        place = artifacts.configured(root)
    except DrillmarkError:
        return  # it was said when the run began
    if place is None:
        return
    for text in artifacts.keep(root, place, driven=states.is_driven, mine=run).problems:
        click.echo(f"warning: {words.harmless(text)}", err=True)


@contextmanager
def beside(root: Path, place: Place | None, say: Callable[[str], None]) -> Generator[None]:
    """Keep what is over for as long as a worker works: a place that hangs stops no drill.

    The same complaint is said once until it ends.
    """
    if place is None:
        yield
        return
    from drillmark import artifacts
    from drillmark.cli import states

    said: set[str] = set()

    def look() -> None:
        kept = artifacts.keep(root, place, driven=states.is_driven)
        for run in kept.runs:
            say(f"run {run} is kept")
        for text in kept.problems:
            if text not in said:
                say(text)
        said.clear()
        said.update(kept.problems)

    with looking("artifacts", look, say, "runs could not be kept"):
        yield
