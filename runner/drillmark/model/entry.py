"""One entry of the journal: what happened, in whose epoch, when, chained to the entry before by its hash.

The kinds of entries, and what their `data` holds, are this module's constants and `docs/reference/journal.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drillmark.model.stamp import Stamp


class Kind(StrEnum):
    """What an entry tells."""

    RUN_STARTED = "run_started"
    INTENT = "intent"  # an effect is about to be performed
    OUTCOME = "outcome"  # it ended, well or not
    EVENT = "event"  # something seen, asked for by nobody (load died, guard gone)
    ABORT = "abort"  # somebody or something wants the run to stop
    RESUMED = "resumed"  # a runner took the run up again, in a new epoch
    GUARD = "guard"  # one line of the guard's own log, imported
    UNDONE = "undone"  # an experiment's fault is proved gone
    RUN_ENDED = "run_ended"
    # What people decide, in the chain `@decisions`; never in a run's own journal.
    APPROVAL = "approval"
    APPROVAL_WITHDRAWN = "approval_withdrawn"
    STOP = "stop"
    STOP_LIFTED = "stop_lifted"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    TRIGGER = "trigger"


class Effect(StrEnum):
    """What the engine can do. An effect has a `key` where there are several of a kind."""

    PREFLIGHT = "preflight"  # key: index:name
    GUARD = "start_guard"
    OBSERVERS = "start_observers"
    LOAD = "start_load"
    BASELINE = "baseline"
    PREPARE = "prepare_fault"  # child started, configuration resolved, U written
    INJECT = "inject"  # the experiment's method, up to its end
    PROVE_EFFECT = "prove_effect"
    SIDE = "start_side"  # simulated disasters: the prober of the copy
    FAULT = "hold_fault"  # drills without recovery: the fault stays
    DETECT = "await_detection"
    RECOVER = "recover"  # key: index:name
    VERIFY = "verify"  # key: index:name
    SOAK = "soak"
    READ_BACK = "read_back"
    UNDO = "undo"
    PROVE_UNDONE = "prove_undone"
    AFTER_UNDO = "after_undo"  # drills without recovery: soak after the undo
    STOP_LOAD = "stop_load"
    STOP_OBSERVERS = "stop_observers"
    CONCLUDE = "conclude"  # measure, judge, file gaps, write the report
    END = "end"


# Asked for each entry, again and again: a journal may be long.
_EFFECTS: dict[str, Effect] = {effect.value: effect for effect in Effect}


class Status(StrEnum):
    """How an effect ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INDETERMINATE = "indeterminate"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal entry.

    Attributes:
        sequence: counts from 1 within a run.
        run: the run's id.
        epoch: which runner wrote it; raised by every resume and by the guard.
        kind: see `Kind`.
        stamp: when it was written.
        data: JSON values only; secrets are redacted before they come here.
        previous_hash: the entry before's `hash`, 64 zeros for the first.
        hash: SHA-256 over everything else (`journal.entries.digest`).
    """

    sequence: int
    run: str
    epoch: int
    kind: Kind
    stamp: Stamp
    data: dict[str, Any]
    previous_hash: str
    hash: str

    @property
    def effect(self) -> Effect | None:
        """The effect that an intent or outcome speaks of."""
        try:
            return _EFFECTS.get(self.data.get("effect", ""))
        except TypeError:
            return None  # a list or a mapping is no name

    @property
    def key(self) -> str:
        """Which one of several effects of a kind; empty where there is one."""
        return str(self.data.get("key", ""))
