"""Judging: three-valued, worst wins, and nothing that is missing passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drillmark import judge
from drillmark.judge.numbers import against
from drillmark.model.entry import Effect, Kind
from drillmark.model.measurement import Measured
from drillmark.model.stamp import Interval
from drillmark.model.verdict import Outcome, Verdict
from rig.journal import Journal
from rig.plain import Run, check, drill, steady_load
from rig.service import Prober
from rig.store import Store

STORE = Store(gone_at=0.2, recovery_point=None, new_from=6.05, restored_from=5.0, end=20.0)


def data(effect: Effect, kind: Kind = Kind.OUTCOME, **changes: Any) -> Any:
    """An edit that changes what entries of an effect say."""

    def edit(journal: Journal) -> None:
        journal.entries = [
            replace(entry, data=entry.data | changes) if entry.effect is effect and entry.kind is kind else entry
            for entry in journal.entries
        ]

    return edit


def without(effect: Effect, kind: Kind | None = None) -> Any:
    def edit(journal: Journal) -> None:
        journal.entries = [
            entry for entry in journal.entries if entry.effect is not effect or kind not in (None, entry.kind)
        ]

    return edit


def first_reason(run: Run) -> str:
    return run.verdict.reasons[0]


@pytest.mark.parametrize(
    ("lo", "hi", "away", "outcome"),
    [
        (4.0, 5.0, 0.0, "passed"),
        (4.0, 5.1, 0.0, "unknown"),
        (5.1, 5.2, 0.0, "failed"),
        (5.0, 5.2, 0.0, "unknown"),
        (0.0, None, 0.0, "unknown"),
        (5.1, None, 0.0, "failed"),
        (5.1, 5.2, 0.2, "unknown"),
        (5.5, 5.6, 0.2, "failed"),
        (4.0, 4.5, 4.0, "passed"),
    ],
)
def test_an_interval_against_its_objective(lo: float, hi: float | None, away: float, outcome: str):
    judged = against("rto", Measured(Interval(lo, hi), away_seconds=away), 5.0)
    assert judged.outcome == outcome
    assert bool(judged.reason) == (outcome != "passed")


def test_straddling_says_so():
    assert against("rto", Measured(Interval(4.0, 5.1)), 5.0).reason == "straddles"


def test_no_number_is_unknown_and_none_to_be_had_is_not_applicable():
    assert against("rto", Measured(None, "why"), 5.0).outcome is Outcome.UNKNOWN
    assert against("rto", Measured(None, "why", applicable=False), 5.0).outcome is Outcome.NOT_APPLICABLE


def test_worst_wins():
    passed, failed, unknown, none = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
    assert judge.worst([passed, unknown, failed, none]) is failed
    assert judge.worst([passed, unknown, none]) is unknown
    assert judge.worst([passed, none]) is passed
    assert judge.worst([]) is none


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict(Outcome.PASSED, (), ()), 0),
        (Verdict(Outcome.FAILED, (), ()), 1),
        (Verdict(Outcome.UNKNOWN, (), ()), 4),
        (Verdict(Outcome.UNKNOWN, (), (), aborted=True), 3),
        (Verdict(Outcome.FAILED, (), (), aborted=True), 3),
        (Verdict(Outcome.FAILED, (), (), refused=True), 3),
    ],
)
def test_exit_codes(verdict: Verdict, code: int):
    assert judge.exit_code(verdict) == code


def test_a_good_run_passes():
    run = drill(store=STORE, load=steady_load(), plan={"p95": 0.2, "mtd": 60.0})
    assert run.verdict.outcome is Outcome.PASSED, run.verdict.reasons
    assert run.verdict.reasons == ()
    names = {one.name for one in run.verdict.judged if one.outcome is Outcome.PASSED}
    assert names == {
        *("rto", "rpo", "mtd", "slo.latency.p95", "slo.throughput"),
        *("steady_state", "fault", "actions", "verification", "undo", "integrity"),
    }
    for one in run.verdict.judged:
        assert one.cited.entries or one.cited.samples, f"{one.name} rests on nothing"


def test_a_good_check_passes():
    run = check(plan={"after_undo": 5.0})
    assert run.verdict.outcome is Outcome.PASSED, run.verdict.reasons


class TestConduct:
    def test_a_refused_preflight_fails_and_comes_first(self):
        def edit(journal: Journal) -> None:
            begun = journal.entries[0]
            journal.entries = [begun]
            journal.did(Effect.PREFLIGHT, -11, -10, "0:preflight-0", good=False, error="no restorable backup")
            journal.entries[-1] = replace(journal.entries[-1], data=journal.entries[-1].data | {"status": "failed"})
            journal.did(Effect.STOP_OBSERVERS, -9, -8)

        run = drill(edit=edit, plan={"preflight": 1})
        assert run.verdict.outcome is Outcome.FAILED
        assert judge.exit_code(run.verdict) == 1
        assert first_reason(run) == "preflight: preflight-0 was not met (no restorable backup)"
        assert run.outcome("steady_state") == "none"
        assert run.outcome("undo") == "none"

    def test_a_preflight_without_an_answer_is_unknown(self):
        assert drill(plan={"preflight": 1}).outcome("preflight") == "unknown"

    def test_a_steady_state_that_was_not_met(self):
        def edit(journal: Journal) -> None:
            for effect in (Effect.INJECT, Effect.PROVE_EFFECT, Effect.RECOVER, Effect.VERIFY, Effect.SOAK, Effect.UNDO):
                without(effect)(journal)
            data(Effect.BASELINE, met=False, reason="beats are absent in the baseline", status="failed")(journal)

        run = drill(edit=edit)
        assert run.outcome("steady_state") == "failed"
        assert run.reason("steady_state") == "beats are absent in the baseline"
        assert run.verdict.outcome is Outcome.FAILED

    def test_a_steady_state_that_only_the_whole_file_disproves(self):
        run = drill(down=[(-0.35, -0.05), (0.25, 6.05)])
        assert run.outcome("steady_state") == "failed"
        assert run.outcome("rto") == "passed"
        assert run.verdict.outcome is Outcome.FAILED

    def test_three_beats_in_flight_at_the_fault(self):
        def slow(evidence: Any) -> Any:
            beats = evidence.beats
            late = (beats["sent_ns"] < Journal().origin.monotonic_ns) & (
                beats["sent_ns"] > Journal().at(-0.35).monotonic_ns
            )
            beats.columns["received_ns"][late] = Journal().at(0.05).monotonic_ns
            return evidence

        assert "3 beats were in flight" in drill(tables=slow).reason("steady_state")

    def test_a_baseline_without_beats(self):
        run = drill(prober=Prober(end=23, lost=[(-4.0, -3.0)]))
        assert run.reason("steady_state") == "beats are absent in the baseline"

    def test_load_that_had_already_ended_when_the_fault_came(self):
        run = drill(load=steady_load(died_at=-2.0))
        assert run.outcome("steady_state") == "unknown"
        assert run.verdict.outcome is Outcome.UNKNOWN

    def test_a_hypothesis_that_was_not_met(self):
        run = drill(edit=data(Effect.INJECT, gate_failed=True, nothing_began=True, status="failed", error="no 200"))
        assert run.outcome("steady_state") == "failed"
        assert run.measured.fault_begin is None

    def test_a_hypothesis_that_deviated_afterwards(self):
        assert drill(edit=data(Effect.UNDO, deviated=True)).outcome("steady_state") == "failed"

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [("failed", "failed"), ("timed_out", "failed"), ("indeterminate", "unknown"), ("", "unknown")],
    )
    def test_a_failed_action_is_a_failure_and_no_status_is_unknown(self, status: str, outcome: str):
        actions = [{"name": "break", "status": status, "error": "403" if status else ""}]
        run = drill(edit=data(Effect.INJECT, actions=actions))
        assert run.outcome("actions") == outcome

    def test_an_action_without_an_outcome_is_unknown(self):
        assert drill(edit=data(Effect.INJECT, actions=[])).outcome("actions") == "unknown"

    def test_a_recovery_activity_that_failed(self):
        run = drill(edit=data(Effect.RECOVER, good=False, status="failed", error="no space"))
        assert run.outcome("actions") == "failed"
        assert run.reason("actions") == "recovery step recover-0: no space; recovery step recover-1: no space"

    def test_a_recovery_step_after_which_resume_undid_says_what_would_have_let_it_go_on(self):
        def cut_short(*kinds: Kind) -> Run:
            def edit(journal: Journal) -> None:
                without(Effect.RECOVER, Kind.OUTCOME)(journal)
                without(Effect.STOP_OBSERVERS)(journal)
                for kind in kinds:
                    journal.add(kind, 5.0, what="acting")
                journal.did(Effect.STOP_OBSERVERS, 22.0, 22.5)

            return drill(edit=edit)

        resumed = cut_short(Kind.RESUMED)
        assert resumed.outcome("actions") == "unknown"
        reason = resumed.reason("actions")
        assert reason.startswith("recovery step recover-0 was cut short, and the fault was undone by `resume`")
        assert "`repeatable: true` would have let it go on" in reason
        for other in (cut_short(), cut_short(Kind.RESUMED, Kind.GUARD), cut_short(Kind.RESUMED, Kind.ABORT)):
            assert other.reason("actions").startswith("recovery step recover-0 did not end;")

    def test_a_failed_undo_is_a_failure(self):
        rollbacks = [{"index": 0, "name": "mend", "status": "failed", "error": "gone"}]
        run = drill(edit=data(Effect.UNDO, rollbacks=rollbacks, status="failed"))
        assert run.outcome("undo") == "failed"
        assert judge.exit_code(run.verdict) == 1

    def test_an_undo_that_was_never_made_or_has_no_outcome(self):
        assert drill(undo=False).outcome("undo") == "unknown"
        assert drill(edit=without(Effect.UNDO, Kind.OUTCOME)).outcome("undo") == "unknown"
        assert drill(edit=data(Effect.UNDO, rollbacks=[])).outcome("undo") == "unknown"

    def test_a_fault_that_is_not_gone(self):
        run = drill(edit=data(Effect.PROVE_UNDONE, status="failed", error="still lost"))
        assert run.outcome("undo") == "failed"
        assert drill(edit=without(Effect.PROVE_UNDONE)).outcome("undo") == "unknown"

    @pytest.mark.parametrize("kind", [Kind.INTENT, Kind.OUTCOME])  # in older journals the outcome says it
    def test_a_fault_that_may_have_ended_before_its_undo(self, kind: Kind):
        run = drill(edit=data(Effect.UNDO, kind, effect_unchecked="is-lost could not be asked: refused"))
        assert run.outcome("fault") == "unknown"
        assert run.reason("fault").endswith("is not known: is-lost could not be asked: refused")
        both = data(Effect.UNDO, effect_unchecked="x"), data(Effect.PROVE_EFFECT, status="failed", error="never true")
        run = drill(edit=lambda journal: [edit(journal) for edit in both])
        assert run.reason("fault") == "fault not proved: never true"

    def test_a_verification_that_never_ran_is_not_done(self):
        assert drill(verify=[], plan={"verify": 1}).outcome("verification") == "unknown"

    def test_a_verification_that_was_cut_short_is_unknown(self):
        assert drill(edit=data(Effect.VERIFY, status="indeterminate")).outcome("verification") == "unknown"


class TestRun:
    def test_a_run_that_did_not_end_passes_nothing(self):
        run = drill(store=STORE, edit=without(Effect.STOP_OBSERVERS))
        assert run.verdict.outcome is Outcome.UNKNOWN
        assert not [one for one in run.verdict.judged if one.outcome is Outcome.PASSED]
        assert run.outcome("run") == "unknown"

    def test_entries_after_the_observers_stopped_change_nothing(self):
        """What is measured again later must be what was measured on the day."""

        def late(journal: Journal) -> None:
            journal.intent(Effect.CONCLUDE, 23.0)
            journal.outcome(Effect.CONCLUDE, 24.0, verdict="passed")
            journal.add(Kind.ABORT, 25.0, by="person", reason="too late")
            journal.add(Kind.RUN_ENDED, 26.0, verdict="passed", exit_code=0)

        one, other = drill(store=STORE), drill(store=STORE, edit=late)
        assert one.verdict == other.verdict
        assert one.measured == other.measured

    def test_aborted_is_at_best_unknown(self):
        def abort(journal: Journal) -> None:
            journal.entries.insert(
                -2, replace(journal.entries[-2], kind=Kind.ABORT, data={"by": "signal", "reason": "INT"})
            )

        run = drill(store=STORE, edit=abort)
        assert run.verdict.outcome is Outcome.UNKNOWN
        assert run.verdict.reasons[-1] == "aborted: signal: INT"
        assert judge.exit_code(run.verdict) == 3

    def test_no_objective_at_all_is_unknown(self):
        run = drill(plan={"probes": 0})
        assert run.verdict.outcome is Outcome.UNKNOWN
        assert "no objective was judged" in run.verdict.reasons

    def test_what_failed_stands_before_what_is_unknown(self):
        run = drill(verify=[(6.1, 8.0, False)], plan={"rpo": 1.0})
        kinds = [reason.split(":")[0] for reason in run.verdict.reasons]
        assert kinds[0] == "verification"
        assert {"rto", "rpo"} <= set(kinds[1:])

    def test_judging_that_raises_is_unknown(self, monkeypatch: pytest.MonkeyPatch):
        from drillmark.judge import numbers

        def broken(*_: object) -> list[Any]:
            raise KeyError("surprise")

        monkeypatch.setattr(numbers, "rto", broken)
        run = drill(store=STORE)
        assert run.outcome("rto") == "unknown"
        assert run.verdict.outcome is Outcome.UNKNOWN
