"""What a face is told while a drill runs. The engine knows this port and no face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from drillmark.model.entry import Entry

BeatState = Literal["good", "bad", "absent"]


@dataclass(frozen=True, slots=True)
class RecoveryProgress:
    """What the recovery activity under way says of itself."""

    stage: str
    bytes_done: int | None = None
    bytes_total: int | None = None
    rate_bytes_per_second: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """A drill at one moment. Rates and percentiles are over the last seconds; None: nothing is known.

    `simulated`: its disaster is declared, nothing is injected, and the clock counts from the declaration.
    """

    run: str
    phase: str
    sentence: str
    phase_elapsed_seconds: float
    phase_total_seconds: float | None
    since_fault_seconds: float | None
    rto_seconds: float
    beats: tuple[BeatState, ...] = ()
    load_per_second: float | None = None
    load_p50_seconds: float | None = None
    load_p95_seconds: float | None = None
    load_errors_per_second: float | None = None
    writes_acknowledged: int | None = None
    recovery: RecoveryProgress | None = None
    next: str = ""
    simulated: bool = False


class View(Protocol):
    """A face of a running drill. Its methods must return quickly and never raise."""

    def entry(self, entry: Entry, sentence: str) -> None:
        """An entry was journalled; `sentence` is the decision's, for intents, else a short text."""

    def tick(self, live: Live) -> None:
        """About twice a second."""

    def notice(self, text: str) -> None:
        """Something that a person should read now (a second signal, say)."""


class SilentView:
    """A view that shows nothing."""

    def entry(self, entry: Entry, sentence: str) -> None:
        """Nothing."""

    def tick(self, live: Live) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """Nothing."""
