"""Drills without a recovery, and the durations beside RTA."""

from __future__ import annotations

import pytest

from drillmark.model.entry import Kind
from drillmark.model.verdict import Outcome
from rig.looking import insert, lo_hi, mono
from rig.plain import check, drill, steady_load
from rig.service import Prober


class TestChecks:
    def test_a_service_that_heals_itself_has_an_rta(self):
        assert lo_hi(check().measured.rta) == (5.7, 5.9)

    def test_what_the_undo_shakes_does_not_count(self):
        assert lo_hi(check(down=[(0.25, 6.05), (30.0, 31.0)]).measured.rta) == (5.7, 5.9)

    def test_users_saw_nothing(self):
        run = check(down=[])
        assert lo_hi(run.measured.rta) == (0.0, 2.1)
        assert run.outcome("rto") == "passed"

    def test_users_saw_nothing_but_nobody_looked(self):
        run = check(down=[], prober=Prober(end=53, lost=[(9.05, 10.0)]))
        assert run.measured.rta.seconds is None
        assert "absent" in run.measured.rta.reason

    def test_users_saw_nothing_bad_but_slowness(self):
        load = steady_load(end=53.0, ok=lambda _: True, latency=lambda at: 0.5 if 2 < at < 8 else 0.03)
        run = check(down=[], load=load, plan={"p95": 0.2})
        assert lo_hi(run.measured.rta)[0] > 4.0

    @pytest.mark.parametrize("failure", ["refused", "timeout"])
    def test_ended_by_the_undo(self, failure: str):
        run = check(down=[(0.25, 30.3)], failure=failure)
        assert not run.measured.rta.applicable
        assert run.measured.rta.reason == "ended by undo"
        assert run.outcome("rto") == "not_applicable"
        assert check(down=[(0.25, 30.3)], failure=failure, plan={"rto": 60.0}).outcome("rto") == "failed"

    def test_slow_to_the_end_is_ended_by_the_undo(self):
        load = steady_load(end=53.0, ok=lambda _: True, latency=lambda at: 0.5 if 2 < at < 30.2 else 0.03)
        assert check(down=[], load=load, plan={"p95": 0.2}).measured.rta.reason == "ended by undo"

    def test_undone_within_the_hold_window(self):
        run = check(down=[(0.25, 27.05)])
        assert run.measured.rta.applicable
        assert run.measured.rta.reason == "undo within hold"
        assert run.outcome("rto") == "unknown"

    def test_no_beats_before_the_undo(self):
        run = check(down=[(0.25, 30.3)], prober=Prober(end=53, lost=[(20.0, 30.0)]))
        assert run.measured.rta.applicable
        assert "missing" in run.measured.rta.reason

    def test_undone_by_somebody_else(self):
        run = check(
            down=[(0.25, 30.3)], edit=lambda journal: insert(journal, 29.9, Kind.ABORT, by="signal", reason="INT")
        )
        assert "undone before restored" in run.measured.rta.reason

    def test_from_the_undos_end(self):
        run = check(down=[(0.25, 31.05)], plan={"after_undo": 1.0})
        assert lo_hi(run.measured.durations["after_undo"]) == (0.6, 0.7)
        assert run.outcome("after_undo") == "passed"
        assert check(down=[(0.25, 31.05)], plan={"after_undo": 0.5}).outcome("after_undo") == "failed"
        assert check(down=[(0.25, 31.05)], plan={"after_undo": 0.65}).reason("after_undo") == "straddles"

    def test_never_well_after_the_undo_fails_stated_or_not(self):
        run = check(down=[(0.25, 99.0)])
        assert run.outcome("after_undo") == "failed"
        assert run.verdict.outcome is Outcome.FAILED

    def test_unwatched_after_the_undo_is_unknown(self):
        run = check(prober=Prober(end=53, lost=[(46.0, 99.0)], closed=False))
        assert run.outcome("after_undo") == "unknown"


class TestDurations:
    def test_work_recovery_time(self):
        run = drill(verify=[(6.2, 9.0, True)], plan={"mtd": 9.0})
        assert lo_hi(run.measured.durations["wrt"]) == (2.9, 3.0)
        assert lo_hi(run.measured.durations["rta_and_wrt"]) == (8.7, 8.8)
        assert run.outcome("mtd") == "passed"
        assert drill(verify=[(6.2, 9.0, True)], plan={"mtd": 8.0}).outcome("mtd") == "failed"

    def test_verified_before_service_was_back(self):
        assert lo_hi(drill(verify=[(5.0, 5.5, True)]).measured.durations["wrt"]) == (0.0, 0.0)

    def test_a_failed_verification_leaves_no_downtime_to_pass(self):
        assert drill(verify=[(6.1, 8.0, False)], plan={"mtd": 3600.0}).outcome("mtd") == "unknown"

    def test_the_restores_own_parts(self):
        report = {"copy_ns": [mono(2.0), mono(3.5)], "replay_ns": [mono(3.5), mono(3.75)]}
        run = drill(recover_data={"drillmark": report})
        assert lo_hi(run.measured.durations["restore_copy"]) == (1.5, 1.5)
        assert lo_hi(run.measured.durations["restore_replay"]) == (0.25, 0.25)
        assert not run.measured.durations["restore_verify"].applicable

    def test_from_declaration(self):
        found = drill().measured.durations["from_declaration"]
        assert lo_hi(found) == (4.5, 4.6)
        assert found.flags == ("unattended",)

    def test_time_to_detect_is_not_applicable_yet(self):
        assert not drill().measured.durations["time_to_detect"].applicable
