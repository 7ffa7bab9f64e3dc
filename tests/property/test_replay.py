"""`decide` under random lives over random plans: crashes at any instant, torn tails, duplicates, a guard that acts.

The world is kept beside the journal: what was really done, and what the undo file and the event log say of it. A crash
may come before an intent, after it, in the middle of the effect, after it, and after its outcome.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import Journal, activity, plan
from drillmark.decide import decide
from drillmark.decide.resuming import BEFORE_THE_FAULT, begins_anew, done_again, guard_has_undone, has_forgotten
from drillmark.decide.steps import Step, activity_of, steps
from drillmark.decide.stops import repeatable
from drillmark.journal.entries import follow, last
from drillmark.model.entry import Effect, Kind, Status
from drillmark.model.plan import Plan
from drillmark.model.planned import PlannedFault
from exhaustive import how_many

MANY = settings(
    max_examples=how_many(50, 1000),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
SEEDS = st.integers(0, 2**32)
STATUSES = ["succeeded"] * 15 + ["failed", "timed_out"]


@st.composite
def plans(draw) -> Plan:
    """With and without recovery, load, markers, probes, an effect probe; several activities of each kind."""
    fault = plan().fault
    assert isinstance(fault, PlannedFault)
    recover = [
        activity(
            f"recover-{number}",
            module=draw(st.sampled_from(["drillmark.recovery.postgres_pitr", "somebody.elses"])),
            repeatable=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    without = {name: None for name in ("load", "markers", "probes") if draw(st.booleans())}
    fields = {
        "fault": fault if draw(st.booleans()) else fault.model_copy(update={"effect": None}),
        "preflight": [activity(f"preflight-{number}") for number in range(draw(st.integers(0, 2)))],
        "verify": [activity(f"verify-{number}") for number in range(draw(st.integers(0, 2)))],
        "recover": recover,
    }
    return plan(**(fields | without))


@dataclass
class World:
    """A life of a run: the journal, and what it may not know."""

    plan: Plan
    chance: random.Random
    crash: float = 0.12
    journal: Journal = field(default_factory=Journal)
    began: bool = False  # the first action of the fault began, as E shows
    ended: bool = False  # the last one ended, likewise
    in_effect: bool = False
    in_undo_file: bool = False
    guard_acted: bool = False
    done: list[tuple[Effect, str]] = field(default_factory=list)
    lost: int = 0  # entries that a crash takes back

    def live(self, steps_at_most: int = 600) -> World:
        """On, through crash and resume, until nothing is left to do."""
        for _ in range(steps_at_most):
            decision = decide(self.plan, self.journal.entries)
            if decision.effect is None:
                return self
            if decision.effect is Effect.END:
                self.journal.perform(decision)
                continue
            if self.crashes():
                continue
            self.perform(decision)
            if self.chance.random() < 0.01:
                self.journal.add(Kind.ABORT, by="person", reason="x")
        raise AssertionError("it did not end")

    def perform(self, decision) -> None:
        effect, key = decision.effect, decision.key
        if effect is Effect.PREPARE:
            self.in_undo_file = True
        self.journal.intent(effect, key, decision.attempt)
        if self.crashes():
            return
        status = self.chance.choice(STATUSES)
        more = self.act(effect, key, status)
        if self.crashes():
            return
        self.journal.outcome(effect, key, decision.attempt, status, **more)
        if effect is Effect.PROVE_UNDONE and status == "succeeded" and self.undo_succeeded():
            self.journal.add(Kind.UNDONE, experiment="x")
            if not self.crashes():
                self.in_undo_file = False

    def act(self, effect: Effect, key: str, status: str) -> dict:
        """Do it to the world; what its outcome says beside the status."""
        nothing = effect is Effect.INJECT and status == "failed" and self.chance.random() < 0.4
        if not nothing:  # a fault of which no action began may begin later
            self.done.append((effect, key))
        if effect is Effect.INJECT:
            self.began = self.in_effect = not nothing
            self.ended = status == "succeeded"
            return {"nothing_began": nothing, "last_action_ended": self.ended}
        if effect is Effect.UNDO and status == "succeeded":
            self.in_effect = False
        if effect is Effect.BASELINE:
            return {"met": status == "succeeded"}
        return {}

    def undo_succeeded(self) -> bool:
        undo = last(self.journal.entries, Effect.UNDO)
        return undo is not None and undo.status == Status.SUCCEEDED

    def crashes(self) -> bool:
        """Whether the runner dies here; then it is resumed, perhaps after the guard has acted."""
        if self.chance.random() >= self.crash:
            return False
        if self.lost:
            del self.journal.entries[len(self.journal.entries) - self.chance.randint(0, self.lost) :]
        lines = []
        if self.in_undo_file and self.began and not self.guard_acted and self.chance.random() < 0.15:
            self.guard_acted = True
            lines = ["acting", *self.chance.choice([["undone"], ["undo_failed"], []])]
            if "undone" in lines:
                self.in_effect = self.in_undo_file = False
        self.resume(lines)
        return True

    def resume(self, guard_lines: list[str]) -> None:
        """What the engine's resume journals."""
        self.journal.add(Kind.RESUMED, epoch=2)
        for what in guard_lines:
            self.journal.add(Kind.GUARD, what=what)
        entries = self.journal.entries
        if guard_has_undone(entries):
            self.in_undo_file = False
        if begins_anew(entries, began=self.began):
            self.in_undo_file = False
            self.journal.add(Kind.EVENT, what="begun_anew", voided=list(BEFORE_THE_FAULT))
            return
        if has_forgotten(entries, began=self.began):
            self.journal.add(Kind.ABORT, by="runner", reason="forgotten")
            self.journal.intent(Effect.INJECT)
        injected = last(entries, Effect.INJECT)
        assert injected is not None
        if injected.outcome is None:
            # What E shows; one in which nothing began is told as failed, with nothing begun.
            status = "indeterminate" if self.began else "failed"
            self.journal.outcome(
                Effect.INJECT, "", injected.attempt, status, nothing_began=not self.began, last_action_ended=self.ended
            )
        for one in done_again(self.plan, entries, in_undo_file=self.in_undo_file):
            self.journal.add(Kind.EVENT, what=one.what, voided=list(one.effects))


def assert_holds(world: World) -> None:
    done = world.done
    assert done.count((Effect.INJECT, "")) <= 1, "the fault is never injected twice"
    for effect, key in set(done):
        if effect is Effect.RECOVER and not repeatable(activity_of(world.plan, Step(effect, key))):
            assert done.count((effect, key)) == 1, f"{key} is not repeatable and was done again"
    if world.began:
        undone = (Effect.UNDO, "") in done or not world.in_effect
        assert undone, "what began is undone"
    if world.in_effect:
        assert world.in_undo_file, "a fault that stays stands in the undo file"
        undo = last(world.journal.entries, Effect.UNDO)
        assert undo is not None
        assert undo.status != Status.SUCCEEDED
    assert world.journal.entries[-1].kind is Kind.RUN_ENDED
    assert sum(entry.kind is Kind.RUN_ENDED for entry in world.journal.entries) == 1


@MANY
@given(plans(), SEEDS)
def test_every_life_ends_and_no_undo_is_skipped(a_plan, seed):
    assert_holds(World(a_plan, random.Random(seed)).live())


@MANY
@given(plans(), SEEDS, st.integers(1, 12))
def test_torn_tails_never_repeat_a_fault_nor_skip_its_undo(a_plan, seed, lost):
    """Each crash takes back the newest entries too, as a disk does that lies about its writes."""
    assert_holds(World(a_plan, random.Random(seed), crash=0.06, lost=lost).live(5000))


@MANY
@given(plans(), SEEDS)
def test_duplicates_change_no_decision(a_plan, seed):
    """An entry that is there twice, one after the other, says nothing new."""
    chance = random.Random(seed)
    entries = World(a_plan, chance).live().journal.entries
    cut = entries[: chance.randint(0, len(entries))]
    twice = []
    for entry in cut:
        twice += [entry] * chance.choice([1, 1, 2, 3])
    rechained = []
    for entry in twice:
        rechained.append(
            follow(
                rechained[-1] if rechained else None,
                run=entry.run,
                epoch=1,
                kind=entry.kind,
                stamp=entry.stamp,
                data=entry.data,
            )
        )
    assert decide(a_plan, rechained) == decide(a_plan, cut)


@MANY
@given(plans(), SEEDS)
def test_an_old_entry_that_comes_again_repeats_no_fault(a_plan, seed):
    world = World(a_plan, random.Random(seed), crash=0.0)
    world.live()
    entries = world.journal.entries[:-1]
    stray = world.chance.choice(entries)
    replayed = World(a_plan, random.Random(seed), crash=0.0)
    replayed.journal.entries = list(entries[: world.chance.randint(0, len(entries))])
    begun_before = any(e.effect is Effect.INJECT and e.kind is Kind.INTENT for e in replayed.journal.entries)
    replayed.journal.add(stray.kind, **stray.data)
    replayed.began = replayed.in_undo_file = begun_before
    replayed.live()
    assert replayed.done.count((Effect.INJECT, "")) + begun_before <= 1


@MANY
@given(plans(), SEEDS)
def test_an_undisturbed_life_does_each_step_once_and_in_order(a_plan, seed):
    world = World(a_plan, random.Random(seed), crash=0.0)
    performed = world.journal.perform_rest(a_plan)
    assert performed == [step.effect for step in steps(a_plan)]
