"""The crash table: which of its rows a death belongs to, and whether what `resume` did is what the row says."""

from __future__ import annotations

from collections.abc import Callable

from bench import Told, intents

from drillmark.chaos.undo import begun
from drillmark.decide import decide
from drillmark.decide.stops import may_be_in_effect, stop_reason
from drillmark.journal.entries import first_break, last
from drillmark.model.entry import Effect, Entry, Kind, Status

CODES = (0, 1, 3, 4)


def row_of(told: Told) -> str:
    """The row of the crash table, by what the death left."""
    entries = told.left.entries
    if not entries:
        return "not begun"
    if any(entry.kind is Kind.RUN_ENDED for entry in entries):
        return "ended"
    if told.left.guard_acted:
        return "guard has acted"
    injected = last(entries, Effect.INJECT)
    if told.plan is not None and any(e.kind is Kind.ABORT for e in entries):
        return "winding up"
    if injected is None:
        return "preflight, baseline"
    if injected.outcome is None:
        return "fault intent, no outcome"
    if (
        injected.outcome.data["status"] != Status.INDETERMINATE
        and told.plan is not None
        and stop_reason(told.plan, entries)
    ):
        return "winding up"
    undo, proved = last(entries, Effect.UNDO), last(entries, Effect.PROVE_UNDONE)
    if undo is not None and undo.outcome is None:
        return "undo intent, no outcome"
    if proved is not None and proved.outcome is not None and told.left.undoables:
        return "undone, still in U"
    if last(entries, Effect.STOP_OBSERVERS) is not None:
        return "measure, judge, file"
    if undo is not None:
        return "undone"
    if any(found.outcome is None for effect in (Effect.RECOVER,) for found in _lasts(told, effect)):
        return "a recovery activity, no outcome"
    if last(entries, Effect.SOAK) is not None:
        return "soak"
    if any(True for _ in _lasts(told, Effect.VERIFY)):
        return "verify"
    return "fault outcome, before recovery"


def _lasts(told: Told, effect: Effect):
    keys = dict.fromkeys(entry.key for entry in told.left.entries if entry.effect is effect)
    for key in keys:
        found = last(told.left.entries, effect, key)
        if found is not None:
            yield found


def after(told: Told) -> tuple[Entry, ...]:
    """What was journalled after the death that is judged."""
    return told.entries[len(told.left.entries) :]


def problems_of_row(told: Told, row: str) -> list[str]:
    """What `resume` did otherwise than the row says."""
    if row in ("not begun", "ended"):
        return [] if told.code == 2 else [f"resume ended with {told.code}: {told.output[-300:]}"]
    if told.code not in CODES:
        return [f"resume ended with {told.code}: {told.output[-500:]}"]
    return [words for words in _CHECKS.get(row, _goes_on)(told) if words]


def problems_of_run(told: Told) -> list[str]:
    """What must hold for every run that has ended, whatever died in it."""
    entries = told.entries
    if not entries:
        return []
    problems = []
    if broken := first_break(entries):
        problems.append(broken)
    if len(intents(entries, Effect.INJECT)) > 1:
        problems.append("the fault was injected more than once")
    if entries[-1].kind is not Kind.RUN_ENDED and not any(entry.data.get("after_end") for entry in entries):
        problems.append("the run has not ended")
    if sum(entry.kind is Kind.RUN_ENDED for entry in entries) > 1:
        problems.append("the run has ended twice")
    undone = any(entry.kind is Kind.GUARD and entry.data.get("what") == "undone" for entry in entries)
    undo = last(entries, Effect.UNDO)
    if may_be_in_effect(entries) and not undone and (undo is None or undo.status != Status.SUCCEEDED):
        problems.append("the fault began and its undo did not succeed")
    if told.result is None:
        problems.append("there is no result")
    return problems


def _began_anew(told: Told):
    done = after(told)
    if not any(entry.data.get("what") == "begun_anew" for entry in done):
        yield "it did not begin anew"
    if not intents(done, Effect.INJECT) and not _stopped(done):
        yield "nothing was injected, and no reason stands in the journal"


def _indeterminate(told: Told):
    done = after(told)
    if intents(done, Effect.INJECT):
        yield "it was injected again"
    outcome = next((e for e in done if e.kind is Kind.OUTCOME and e.effect is Effect.INJECT), None)
    if outcome is None or outcome.data["status"] != Status.INDETERMINATE:
        # A log in which nothing began says for certain that nothing is in effect.
        if begun(told.left.events):
            yield f"the injection's outcome is {outcome and outcome.data['status']}"
        return
    proved = last(done, Effect.PROVE_EFFECT)
    adopted = proved is not None and proved.status == Status.SUCCEEDED
    if not adopted and intents(done, Effect.RECOVER):
        yield "it went on though the fault was not proved"
    if not adopted and told.result and told.result["verdict"] == "passed":
        yield "it passed though it is not known how far the injection came"


def _goes_on(told: Told):
    done = after(told)
    if intents(done, Effect.INJECT):
        yield "it was injected again"
    if reason := _stopped(done):
        yield f"it did not go on: {reason}"
    if told.plan is None or not told.plan.recovers:
        return
    for index, planned in enumerate(told.plan.recover):
        found = last(told.entries, Effect.RECOVER, f"{index}:{planned.name}")
        if found is None or found.status != Status.SUCCEEDED:
            yield f"the recovery {planned.name} did not succeed"


def _verifies_all(told: Told):
    yield from _goes_on(told)
    done = after(told)
    if told.plan is not None and len(intents(done, Effect.VERIFY)) != len(told.plan.verify):
        yield "not every verification was made again"


def _undoes_again(told: Told):
    done = after(told)
    if not intents(done, Effect.UNDO):
        yield "the undo was not run again"
    if intents(done, Effect.RECOVER) or intents(done, Effect.INJECT):
        yield "it went on with the drill"


def _proves_again(told: Told):
    done = after(told)
    if not intents(done, Effect.PROVE_UNDONE):
        yield "it was not proved again that the fault is gone"
    if intents(done, Effect.UNDO):
        yield "the undo was run again"


def _concludes(told: Told):
    done = after(told)
    for effect in (Effect.INJECT, Effect.RECOVER, Effect.UNDO, Effect.VERIFY):
        if intents(done, effect):
            yield f"it did {effect} again"


def _only_judges(told: Told):
    done = after(told)
    for effect in (Effect.INJECT, Effect.RECOVER, Effect.UNDO):
        if intents(done, effect):
            yield f"it did {effect} after the guard had acted"
    if told.result and told.result["verdict"] == "passed":
        yield "it passed though the guard had undone the fault"


def _winds_up(told: Told):
    done = after(told)
    for effect in (Effect.INJECT, Effect.RECOVER):
        if intents(done, effect):
            yield f"it did {effect} though the run was being stopped"


def _stopped(done: tuple[Entry, ...]) -> str:
    """Why a run did not go on, as its journal says; empty where it did."""
    for entry in done:
        if entry.kind is Kind.ABORT:
            return str(entry.data.get("reason", "aborted"))
        if entry.kind is Kind.OUTCOME and entry.effect not in (Effect.VERIFY, Effect.SOAK, Effect.CONCLUDE):
            status = entry.data.get("status")
            if status not in (Status.SUCCEEDED, Status.SKIPPED):
                return f"{entry.effect} {status}: {entry.data.get('error') or entry.data.get('reason')}"
    return ""


_CHECKS: dict[str, Callable] = {
    "preflight, baseline": _began_anew,
    "fault intent, no outcome": _indeterminate,
    "verify": _verifies_all,
    "undo intent, no outcome": _undoes_again,
    "undone, still in U": _proves_again,
    "measure, judge, file": _concludes,
    "guard has acted": _only_judges,
    "winding up": _winds_up,
}


def sentence(told: Told) -> str:
    """What was done after the death, in one sentence."""
    done = after(told)
    if not done and told.left.entries and told.left.entries[-1].kind is Kind.RUN_ENDED:
        return "nothing: the run had ended"
    if not done:
        lines = [line for line in told.output.splitlines() if line.startswith("error: ")]
        return lines[-1].removeprefix("error: ") if lines else "nothing"
    said: list[str] = []
    if any(entry.data.get("what") == "begun_anew" for entry in done):
        said.append("began anew")
    acted = next((e for e in done if e.kind is Kind.GUARD and e.data.get("what") == "acting"), None)
    if acted is not None:
        said.append("found that the guard had undone the fault")
    events = [str(e.data["what"]).replace("_", " ") for e in done if e.kind is Kind.EVENT]
    said += [what for what in dict.fromkeys(events) if what not in ("begun anew", "samples closed")]
    abort = next((e for e in done if e.kind is Kind.ABORT), None)
    if abort is not None:
        said.append(f"stopped, as {abort.data.get('reason')}")
    first = next((index for index, e in enumerate(done) if e.kind is Kind.INTENT), None)
    if first is not None and told.plan is not None:
        said.append(decide(told.plan, told.entries[: len(told.left.entries) + first]).sentence)
    return "; ".join(said)
