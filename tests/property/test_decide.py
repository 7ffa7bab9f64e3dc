"""`decide` under random histories: crashes anywhere, failures anywhere, aborts, resumes, torn tails."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import Journal, plan
from drillmark.decide import decide
from drillmark.model.entry import Effect, Kind

PLANS = [plan(), plan(recovers=False), plan(load=None, markers=None, preflight=[])]
STATUSES = ["succeeded"] * 12 + ["failed", "timed_out"]


def live_through(a_plan, seed: int) -> Journal:
    """A random life: every effect may crash before its outcome, fail, or be interrupted by an abort."""
    chance = random.Random(seed)
    journal = Journal()
    aborted = False
    for _ in range(400):
        decision = decide(a_plan, journal.entries)
        if decision.effect is None:
            return journal
        if decision.effect is Effect.END:
            journal.perform(decision)
            continue
        journal.intent(decision.effect, decision.key, decision.attempt)
        if chance.random() < 0.15:
            resume(journal, chance)
            continue
        status = chance.choice(STATUSES)
        nothing = decision.effect is Effect.INJECT and status == "failed" and chance.random() < 0.3
        journal.outcome(decision.effect, decision.key, decision.attempt, status, nothing_began=nothing)
        if not aborted and chance.random() < 0.03:
            aborted = True
            journal.add(Kind.ABORT, by="person", reason="x")
    raise AssertionError("it did not end")


def resume(journal: Journal, chance: random.Random) -> None:
    """What the engine's resume journals."""
    journal.add(Kind.RESUMED, epoch=2)
    injected = [e for e in journal.entries if e.effect is Effect.INJECT]
    if not injected:
        journal.add(
            Kind.EVENT,
            what="begun_anew",
            voided=["preflight", "start_guard", "start_observers", "start_load", "prepare_fault", "baseline"],
        )
    elif len(injected) == 1:
        journal.outcome(
            Effect.INJECT, "", 1, "indeterminate", last_action_ended=chance.random() < 0.5, nothing_began=False
        )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(range(len(PLANS))), st.integers(0, 10**9))
def test_every_life_ends_and_no_fault_stays(which, seed):
    entries = live_through(PLANS[which], seed).entries
    intents = [entry for entry in entries if entry.kind is Kind.INTENT]
    injections = [entry for entry in intents if entry.effect is Effect.INJECT]
    assert len(injections) <= 1, "an injection is never repeated"
    began = injections and not any(
        e.kind is Kind.OUTCOME and e.effect is Effect.INJECT and e.data["nothing_began"] for e in entries
    )
    undos = [entry for entry in intents if entry.effect is Effect.UNDO]
    assert bool(undos) == bool(began), "what began is undone, and nothing else"
    if undos:
        assert undos[0].sequence > injections[0].sequence
    performed = [(e.effect, e.key, e.data["attempt"]) for e in intents]
    if not any("voided" in e.data for e in entries):
        assert len(performed) == len(set(performed)), "an attempt is never performed twice"
    assert entries[-1].kind is Kind.RUN_ENDED


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 10**9), st.floats(0, 1))
def test_a_torn_tail_never_leads_past_an_undo(seed, cut):
    """Whatever is lost from the end, a life that goes on from there still undoes what began."""
    whole = live_through(PLANS[0], seed).entries
    journal = Journal()
    journal.entries = list(whole[: int(cut * len(whole))])
    if journal.entries and journal.entries[-1].kind is Kind.RUN_ENDED:
        return
    resume(journal, random.Random(seed))
    journal.perform_rest(PLANS[0])
    kinds = [e.effect for e in journal.entries if e.kind is Kind.INTENT]
    nothing = any(e.data.get("nothing_began") for e in journal.entries)
    assert (Effect.UNDO in kinds) == (Effect.INJECT in kinds and not nothing)
