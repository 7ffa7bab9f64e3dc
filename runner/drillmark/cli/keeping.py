"""What people hear of `DRILLMARK_ARTIFACTS`: after a run, and beside a worker. Wires; decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drillmark.artifacts import Place

_LOOK_SECONDS = 10.0
# Within what a service manager allows after the drain.
_LAST_SECONDS = 20.0


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
    """Keep runs for as long as a worker works, in a thread of its own: a place that hangs stops no drill."""
    if place is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_look, args=(root, place, say, over), name="drillmark-artifacts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_LAST_SECONDS)


def _look(root: Path, place: Place, say: Callable[[str], None], over: threading.Event) -> None:
    """At every look what is over, and once more in the end. The same complaint is said once until it ends."""
    from drillmark import artifacts
    from drillmark.cli import states

    said: set[str] = set()
    while True:
        last = over.wait(_LOOK_SECONDS)
        kept = artifacts.keep(root, place, driven=states.is_driven)
        for run in kept.runs:
            say(f"run {run} is kept")
        for text in kept.problems:
            if text not in said:
                say(text)
        said = set(kept.problems)
        if last:
            return
