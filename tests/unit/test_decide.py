"""The decision, row by row of the crash table, with the sentence that goes with it."""

from __future__ import annotations

import pytest

from builders import Journal, activity, plan
from drillmark.decide import decide
from drillmark.model.entry import Effect, Kind

E = Effect


def test_a_drill_with_recovery_goes_its_whole_way():
    assert Journal().perform_rest(plan()) == [
        E.PREFLIGHT, E.GUARD, E.OBSERVERS, E.LOAD, E.PREPARE, E.BASELINE, E.INJECT, E.PROVE_EFFECT, E.DETECT,
        E.RECOVER, E.RECOVER, E.RECOVER, E.VERIFY, E.SOAK, E.READ_BACK, E.UNDO, E.PROVE_UNDONE,
        E.STOP_LOAD, E.STOP_OBSERVERS, E.CONCLUDE, E.END,
    ]  # fmt: skip


def test_a_check_without_recovery_undoes_before_it_reads_back():
    effects = Journal().perform_rest(plan(recovers=False))
    assert effects[effects.index(E.PROVE_EFFECT) :] == [
        E.PROVE_EFFECT, E.FAULT, E.UNDO, E.PROVE_UNDONE, E.AFTER_UNDO, E.VERIFY, E.READ_BACK,
        E.STOP_LOAD, E.STOP_OBSERVERS, E.CONCLUDE, E.END,
    ]  # fmt: skip


def test_sentences_say_what_and_why():
    journal = Journal()
    assert decide(plan(), []).sentence == "check restorable before anything is touched"
    decision = journal.perform_until(plan(), E.INJECT)
    assert decision.sentence == (
        "inject experiments/orders-db-lost.yaml: the steady state is met and its undo is written down"
    )


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (E.PREFLIGHT, "because the preflight restorable was not met (no backup)"),
        (E.GUARD, "because the guard could not be started (no backup)"),
        (E.OBSERVERS, "because the observers could not be started (no backup)"),
        (E.LOAD, "because the load could not be started (no backup)"),
        (E.PREPARE, "because the fault could not be prepared (no backup)"),
        (E.BASELINE, "because the steady state was not met (no backup)"),
    ],
)
def test_nothing_is_injected_after_what_must_succeed_failed(effect, words):
    journal = Journal()
    journal.perform(journal.perform_until(plan(), effect), "failed", error="no backup")
    assert decide(plan(), journal.entries).sentence.endswith(words)
    assert set(journal.perform_rest(plan())) == {E.STOP_LOAD, E.STOP_OBSERVERS, E.CONCLUDE, E.END}


@pytest.mark.parametrize("effect", [E.INJECT, E.PROVE_EFFECT, E.RECOVER])
def test_what_fails_after_the_fault_began_is_undone(effect):
    journal = Journal()
    journal.perform(journal.perform_until(plan(), effect), "failed", error="boom")
    assert decide(plan(), journal.entries).effect is E.UNDO
    assert journal.perform_rest(plan())[:2] == [E.UNDO, E.PROVE_UNDONE]


def test_a_failed_gate_undoes_nothing_as_nothing_began():
    journal = Journal()
    journal.perform(journal.perform_until(plan(), E.INJECT), "failed", nothing_began=True, gate_failed=True)
    assert E.UNDO not in journal.perform_rest(plan())


def test_a_failed_verification_does_not_stop_the_measuring():
    journal = Journal()
    journal.perform(journal.perform_until(plan(), E.VERIFY), "failed", good=False)
    assert decide(plan(), journal.entries).effect is E.SOAK


@pytest.mark.parametrize(
    "effect",
    [E.PREFLIGHT, E.BASELINE, E.PROVE_EFFECT, E.VERIFY, E.SOAK, E.READ_BACK, E.UNDO, E.PROVE_UNDONE, E.CONCLUDE],
)
def test_cut_short_and_simply_done_again(effect):
    journal = Journal()
    decision = journal.perform_until(plan(), effect)
    journal.intent(effect, decision.key)
    again = decide(plan(), journal.entries)
    assert (again.effect, again.key, again.attempt) == (effect, decision.key, 2)
    assert again.sentence.endswith("again: attempt 1 was cut short")


def test_an_injection_cut_short_is_never_repeated():
    journal = Journal()
    journal.perform_until(plan(), E.INJECT)
    journal.intent(E.INJECT)
    decision = decide(plan(), journal.entries)
    assert decision.effect is E.UNDO
    assert decision.sentence == "undo the fault, because it is not known how far the injection came"


def test_an_injection_known_to_have_ended_is_adopted_if_its_effect_is_proved():
    journal = Journal()
    journal.perform_until(plan(), E.INJECT)
    journal.intent(E.INJECT)
    journal.outcome(E.INJECT, status="indeterminate", last_action_ended=True, error="child gone")
    decision = decide(plan(), journal.entries)
    assert decision.effect is E.PROVE_EFFECT
    journal.perform(decision)
    assert decide(plan(), journal.entries).effect is E.DETECT


def test_an_adopted_injection_whose_effect_is_not_proved_is_undone():
    journal = Journal()
    journal.perform_until(plan(), E.INJECT)
    journal.intent(E.INJECT)
    journal.outcome(E.INJECT, status="indeterminate", last_action_ended=True)
    journal.perform(decide(plan(), journal.entries), "failed")
    assert decide(plan(), journal.entries).sentence == "undo the fault, because the fault was not proved"


def test_our_recovery_cut_short_runs_again_as_the_next_attempt():
    journal = Journal()
    journal.perform_until(plan(), E.RECOVER, "1:restore-latest")
    journal.intent(E.RECOVER, "1:restore-latest")
    decision = decide(plan(), journal.entries)
    assert (decision.effect, decision.key, decision.attempt) == (E.RECOVER, "1:restore-latest", 2)


def test_a_foreign_recovery_cut_short_is_undone_unless_repeatable():
    foreign = plan(recover=[activity("their-script", module="their.module")])
    journal = Journal()
    journal.perform_until(foreign, E.RECOVER)
    journal.intent(E.RECOVER, "0:their-script")
    decision = decide(foreign, journal.entries)
    assert decision.effect is E.UNDO
    assert decision.sentence == (
        "undo the fault, because their-script was cut short and does not say `repeatable: true`, with which it would go on"
    )
    said = plan(recover=[activity("their-script", module="their.module", repeatable=True)])
    assert decide(said, journal.entries).effect is E.RECOVER


def test_a_failed_undo_is_tried_once_more_and_then_the_run_ends():
    journal = Journal()
    journal.perform(journal.perform_until(plan(), E.UNDO), "failed", error="no way back")
    decision = decide(plan(), journal.entries)
    assert (decision.effect, decision.attempt) == (E.UNDO, 2)
    assert decision.sentence == "undo the fault once more: the first undo failed"
    journal.perform(decision, "failed", error="no way back")
    assert decide(plan(), journal.entries).effect is E.PROVE_UNDONE


@pytest.mark.parametrize("effect", [E.PREFLIGHT, E.BASELINE])
def test_an_abort_before_the_fault_undoes_nothing(effect):
    journal = Journal()
    journal.perform_until(plan(), effect)
    journal.add(Kind.ABORT, by="person", reason="lunch")
    assert decide(plan(), journal.entries).effect is E.STOP_LOAD
    assert E.UNDO not in journal.perform_rest(plan())


@pytest.mark.parametrize("effect", [E.PROVE_EFFECT, E.RECOVER, E.SOAK, E.READ_BACK])
def test_an_abort_after_the_fault_undoes_it(effect):
    journal = Journal()
    journal.perform_until(plan(), effect)
    journal.add(Kind.ABORT, by="person", reason="lunch")
    assert decide(plan(), journal.entries).sentence == "undo the fault, because it was aborted (person: lunch)"


def test_why_it_winds_up_is_said_once():
    journal = Journal()
    journal.perform_until(plan(), E.RECOVER)
    journal.add(Kind.ABORT, by="person", reason="lunch")
    said: list[str] = []
    while (decision := decide(plan(), journal.entries)).effect is not None:
        said.append(decision.sentence)
        journal.perform(decision)
    assert len(said) > 3
    assert ["because" in one for one in said] == [True, *[False] * (len(said) - 1)]


def test_a_guard_that_was_killed_in_its_undo_leaves_it_to_the_runner():
    journal = Journal()
    journal.perform_until(plan(), E.RECOVER)
    journal.add(Kind.GUARD, what="acting", reason="the runner's lease ran out")
    wanted = "undo the fault, because the guard has begun to undo the fault"
    assert decide(plan(), journal.entries).sentence == wanted


def test_once_the_guard_has_acted_nothing_touches_the_target():
    journal = Journal()
    journal.perform_until(plan(), E.RECOVER)
    journal.add(Kind.GUARD, what="acting", reason="the runner's lease ran out")
    journal.add(Kind.GUARD, what="undone")
    assert decide(plan(), journal.entries).sentence == "stop the load, because the guard has undone the fault"
    assert journal.perform_rest(plan()) == [E.STOP_LOAD, E.STOP_OBSERVERS, E.CONCLUDE, E.END]


def test_what_was_declared_void_is_done_again():
    journal = Journal()
    journal.perform_until(plan(), E.INJECT)
    journal.add(
        Kind.EVENT, what="begun_anew", voided=[E.PREFLIGHT, E.GUARD, E.OBSERVERS, E.LOAD, E.PREPARE, E.BASELINE]
    )
    assert journal.perform_rest(plan())[:7] == [
        E.PREFLIGHT, E.GUARD, E.OBSERVERS, E.LOAD, E.PREPARE, E.BASELINE, E.INJECT,
    ]  # fmt: skip


def test_nothing_comes_after_the_end():
    journal = Journal()
    journal.perform_rest(plan())
    assert decide(plan(), journal.entries).effect is None
