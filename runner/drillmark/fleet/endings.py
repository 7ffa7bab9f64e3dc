"""How an attempt at a drill ended, as the queue needs it: one rule for a worker's run and for a person's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillmark import undo
from drillmark.engine.paths import RunPaths

if TYPE_CHECKING:
    from drillmark.engine.start import RunEnded


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended.

    Attributes:
        again: by its retry policy it may be run again, if tries are left.
        settled: nothing of it is in effect any more. Else it keeps its targets, and is taken over.
    """

    verdict: str
    reason: str
    again: bool = False
    settled: bool = True


def of_run(ended: RunEnded, *before: str) -> Ending:
    """The same of a run that has ended; `before`: what to say first. Raises UndoFileError."""
    # What a rule refused it refuses again, until somebody decides otherwise: that is no matter of trying.
    again = ended.verdict == "unknown" and not ended.refused
    settled = is_settled(ended.directory)
    left = () if settled else ("its fault is not known to be undone",)
    return Ending(ended.verdict, "; ".join([*before, *left, *ended.reasons]), again=again, settled=settled)


def is_settled(directory: Path) -> bool:
    """By U: while something may be in effect, the targets stay locked, and the run is taken up again."""
    state = undo.read(RunPaths(directory).undo)
    return state is None or not state.undoables
