"""The way through a simulated disaster: nothing is injected or proved, and taking the copy away is the undo."""

from __future__ import annotations

from pathlib import Path

from builders import Journal, activity, plan
from drillmark import undo
from drillmark.decide import decide
from drillmark.engine.moments import effect_began_ns
from drillmark.engine.paths import RunPaths
from drillmark.guard.acting import act
from drillmark.model.entry import Effect, Kind
from drillmark.model.plan import Plan
from drillmark.model.planned import PlannedProbes, PlannedSimulation
from drillmark.undo import Undoable, UndoState


def simulated() -> Plan:
    simulation = PlannedSimulation(
        source=activity("backup-store"),
        probes=PlannedProbes(activities=[activity("copy-read")]),
        discard=activity("discard-copy"),
    )
    return plan(fault=None, simulation=simulation, recover=[activity("restore-to-the-side")], load=None, verify=[])


def test_the_steps_of_a_simulated_disaster():
    effects = Journal().perform_rest(simulated())
    assert effects == [
        Effect.PREFLIGHT, Effect.GUARD, Effect.OBSERVERS, Effect.PREPARE, Effect.BASELINE, Effect.SIDE, Effect.INJECT,
        Effect.RECOVER, Effect.SOAK, Effect.READ_BACK, Effect.UNDO, Effect.PROVE_UNDONE,
        Effect.STOP_OBSERVERS, Effect.CONCLUDE, Effect.END,
    ]  # fmt: skip


def test_its_sentences_speak_of_a_copy_and_of_no_fault():
    told, journal = [], Journal()
    while (decision := decide(simulated(), journal.entries)).effect is not None:
        told.append(decision.sentence)
        journal.perform(decision)
    assert "declare the disaster, which is simulated: from now on only what is in the backup store counts" in told
    assert "take the copy away" in told
    assert not [sentence for sentence in told if "inject" in sentence]


def test_a_copy_is_taken_away_when_the_restore_fails_or_somebody_aborts():
    for what in ("fails", "aborts"):
        journal = Journal()
        recover = journal.perform_until(simulated(), Effect.RECOVER)
        if what == "fails":
            journal.perform(recover, "failed", error="no room")
        else:
            journal.add(Kind.ABORT, by="person", reason="stop")
        effects = journal.perform_rest(simulated())
        assert effects[:2] == [Effect.UNDO, Effect.PROVE_UNDONE], what


def test_a_restore_that_was_cut_short_goes_on():
    journal = Journal()
    recover = journal.perform_until(simulated(), Effect.RECOVER)
    journal.intent(Effect.RECOVER, recover.key)
    again = decide(simulated(), journal.entries)
    assert (again.effect, again.attempt) == (Effect.RECOVER, 2)


def test_a_copy_that_was_not_taken_away_is_tried_once_more():
    journal = Journal()
    journal.perform(journal.perform_until(simulated(), Effect.UNDO), "failed", error="it is in use")
    decision = decide(simulated(), journal.entries)
    assert (decision.effect, decision.attempt) == (Effect.UNDO, 2)
    assert decision.sentence == "take the copy away once more: the first undo failed"


def test_the_recovery_counts_from_the_declaration():
    journal = Journal()
    decision = journal.perform_until(simulated(), Effect.INJECT)
    intent = journal.intent(Effect.INJECT, decision.key, simulated=True)
    assert effect_began_ns(journal.entries) == intent.stamp.monotonic_ns


def test_the_guard_takes_a_copy_away_although_no_event_log_says_that_anything_began(tmp_path: Path):
    paths = RunPaths(tmp_path)
    (tmp_path / "chaos").mkdir()
    undo.write_epoch(paths.epoch, 1)
    copy = tmp_path / "copy"
    copy.mkdir()
    discard = {
        "name": "discard-copy",
        "type": "action",
        "provider": {"type": "python", "module": "os", "func": "rmdir", "arguments": {"path": str(copy)}},
    }
    experiment = {"title": "x", "description": "x", "method": [], "rollbacks": [discard]}
    state = UndoState("run", (Undoable("simulated disaster", experiment, {}, unlogged=True),))
    undo.write(paths.undo, state)
    assert undo.read(paths.undo) == state
    assert act(paths, "run", lambda: "the runner's lease ran out")
    assert not copy.exists()
    left = undo.read(paths.undo)
    assert left is not None
    assert left.undoables == ()
