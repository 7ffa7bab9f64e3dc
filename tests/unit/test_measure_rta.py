"""RTA: every case that the explanation in `docs/explanation/measurement.md` names."""

from __future__ import annotations

from typing import Any

import pytest

from drillmark.model.entry import Effect, Kind
from drillmark.model.verdict import Outcome
from rig.journal import SECOND
from rig.looking import drop, insert, lo_hi, mono, terms
from rig.plain import drill, steady_load
from rig.service import Prober


class TestStart:
    def test_first_bad_beat_before_the_effect(self):
        run = drill()
        assert terms(run) == (0.2, 0.3, 6.0, 6.1)
        assert lo_hi(run.measured.rta) == (5.7, 5.9)
        assert run.measured.stamps["t0"] == {"lo": 0.2, "hi": 0.3}
        assert run.measured.stamps["first_refused"] == {"lo": 0.3, "hi": 0.3}

    def test_the_command_was_issued_long_before_the_outage(self):
        # I is 0; service went down at 0.75. Counting from I would flatter nobody and be wrong.
        assert terms(drill(down=[(0.75, 6.05)]))[:2] == (0.7, 0.8)

    def test_a_beat_in_flight_at_the_fault_counts_for_neither_side(self):
        prober = Prober(begin=-10.005, end=23)  # sent at -0.005, answered after I
        assert terms(drill(down=[(-0.01, 6.05)], prober=prober))[:2] == (0.0, 0.095)

    def test_a_bad_beat_followed_by_good_ones_may_be_noise(self):
        assert terms(drill(down=[(0.15, 0.25), (0.95, 6.05)]))[:2] == (0.1, 1.0)

    def test_a_bad_beat_followed_by_an_absence_may_be_noise(self):
        run = drill(down=[(0.15, 0.25), (0.75, 6.05)], prober=Prober(end=23, lost=[(0.25, 0.85)]))
        assert terms(run)[:2] == (0.1, 1.0)

    def test_an_outage_may_hide_in_an_absence(self):
        # Beats are absent from 0.25 on; the good one at 0.7 says nothing of what was before it.
        run = drill(down=[(0.35, 0.45), (0.85, 6.05)], prober=Prober(end=23, lost=[(0.25, 0.65)]))
        assert terms(run)[:2] == (0.2, 0.9)

    def test_an_absence_across_the_fault_reaches_back_to_it(self):
        run = drill(prober=Prober(end=23, lost=[(-0.25, 0.45)]))
        assert terms(run)[:2] == (0.0, 0.5)

    @pytest.mark.parametrize("down", [[], [(1.25, 6.05)], [(5.5, 6.05)]])
    def test_without_an_outage_before_the_effect_the_disaster_lies_between(self, down: list[tuple[float, float]]):
        assert terms(drill(down=down))[:2] == (0.0, 1.0)

    def test_a_switch_over_before_the_effect_was_proved_is_not_the_disaster(self):
        run = drill(down=[(2.5, 3.5)], effect=3.0, recover=[(2.0, 6.0)])
        assert terms(run)[:2] == (0.0, 3.0)

    def test_as_edges_beats_count_from_their_first_and_their_last_send(self):
        prober = Prober(end=23, probes=3, spread=0.02)
        assert terms(drill(prober=prober)) == (0.2, 0.34, 6.0, 6.14)

    def test_the_disaster_is_never_later_than_its_proof(self):
        prober = Prober(end=23, probes=3, spread=0.02)  # the bad beat's last probe is sent at 1.04
        assert terms(drill(down=[(0.95, 6.05)], effect=1.01, prober=prober))[:2] == (0.9, 1.01)

    def test_without_effect_probe_the_last_action_stands_in(self):
        run = drill(down=[], probed=False)
        assert terms(run)[:2] == (0.0, 0.5)
        assert "effect not probed" in run.measured.rta.flags

    def test_a_fault_that_is_not_proved_measures_nothing(self):
        run = drill(effect=None)
        assert run.measured.rta.seconds is None
        assert run.measured.rta.reason == "fault not proved"
        assert run.outcome("fault") == "unknown"
        assert run.verdict.outcome is Outcome.UNKNOWN


class TestEnd:
    def test_a_relapse_moves_the_end(self):
        assert terms(drill(down=[(0.25, 6.05), (9.05, 9.55)]))[2:] == (9.5, 9.6)

    def test_slow_answers_are_no_answers(self):
        assert terms(drill(failure="slow"))[2:] == (6.0, 6.1)

    def test_an_error_page_with_200_is_no_answer(self):
        assert terms(drill(failure="error_page"))[2:] == (6.0, 6.1)

    def test_not_before_the_recovery_ended(self):
        # Service answered again at 3; the last activity ran from 4 to 6.
        assert terms(drill(down=[(0.25, 3.05)]))[2:] == (4.0, 6.0)

    def test_not_before_the_data_were_restored(self):
        report = {"drillmark": {"data_restored_ns": [mono(6.5), mono(6.7)]}}
        run = drill(down=[(0.25, 3.05)], recover_data=report, verify=[(7.0, 7.2, True)])
        assert terms(run)[2:] == (6.5, 6.7)

    def test_where_no_method_stamps_the_data_the_outcome_stands_in(self):
        run = drill()
        assert "restored by outcome" in run.measured.rta.flags
        assert run.measured.stamps["t_data_restored"] == {"lo": 4.0, "hi": 6.0}

    def test_a_report_that_makes_no_sense_counts_as_none(self):
        for report in ({"data_restored_ns": "soon"}, {"data_restored_ns": [mono(5), mono(4)]}, {"copy_ns": [1]}):
            assert "restored by outcome" in drill(recover_data={"drillmark": report}).measured.rta.flags

    def test_an_absence_in_the_soak_moves_the_end_behind_it(self):
        run = drill(prober=Prober(end=23, lost=[(9.05, 9.55)]))
        assert terms(run)[2:] == (6.0, 9.6)

    def test_one_missing_slot_is_no_absence(self):
        assert terms(drill(prober=Prober(end=23, lost=[(9.05, 9.15)])))[2:] == (6.0, 6.1)

    def test_a_soak_too_short_proves_nothing(self):
        run = drill(soak_end=10.0)
        assert lo_hi(run.measured.rta) == (5.7, None)
        assert run.measured.rta.reason == "not restored"

    def test_down_to_the_end_has_no_upper_edge(self):
        run = drill(down=[(0.25, 99.0)], plan={"rto": 15.0})
        assert lo_hi(run.measured.rta) == (19.6, None)
        assert run.outcome("rto") == "failed"
        assert run.measured.stamps["t_service_restored"] is None

    def test_a_failed_verification_voids_the_end(self):
        run = drill(verify=[(6.1, 8.0, False)])
        assert lo_hi(run.measured.rta) == (5.8, None)
        assert "verification" in run.measured.rta.reason
        assert run.outcome("verification") == "failed"

    def test_a_verification_does_not_move_the_end(self):
        assert terms(drill(verify=[(6.1, 9.0, True)]))[2:] == (6.0, 6.1)

    def test_a_recovery_that_did_not_end_is_no_recovery(self):
        run = drill(edit=lambda journal: drop(journal, Effect.RECOVER, key="1:recover-1"))
        assert lo_hi(run.measured.rta)[1] is None
        assert run.outcome("actions") == "unknown"

    def test_a_prober_that_died_leaves_no_upper_edge(self):
        run = drill(prober=Prober(end=23, lost=[(8.0, 99.0)], closed=False))
        assert lo_hi(run.measured.rta) == (5.7, None)
        assert run.outcome("rto") == "unknown"

    def test_a_prober_that_died_in_the_outage_does_not_make_the_lower_edge_late(self):
        run = drill(prober=Prober(end=23, lost=[(3.0, 99.0)], closed=False), recover=[(1.2, 2.0)])
        assert lo_hi(run.measured.rta) == (2.6, None)

    def test_answers_later_than_the_timeout_are_bad_whatever_the_row_says(self):
        def late(run: Any) -> Any:
            beats = run.beats
            beats.columns["received_ns"][150] = beats["sent_ns"][150] + 3 * SECOND
            return run

        assert terms(drill(tables=late))[2:] == (6.0, 6.1)  # row 150 is of the outage
        assert terms(drill(down=[], tables=late))[3] >= 6.0

    def test_slow_probes_do_not_make_the_end_early(self):
        # The last probe is asked once a second only, and it alone sees the outage from 0.25 to 6.05.
        prober = Prober(end=23, probes=2, slow_stride=10, only_slow=True, spread=0.0)
        assert terms(drill(prober=prober)) == (0.0, 1.0, 6.0, 7.0)

    def test_a_prober_that_began_anew_counts_from_zero_again(self):
        def twice(evidence: Any) -> Any:
            beats = evidence.beats
            later = beats["sent_ns"] > beats["sent_ns"][0] + 15 * SECOND
            beats.columns["beat"] = beats["beat"] - later * 150
            return evidence

        assert terms(drill(tables=twice)) == terms(drill())


class TestServiceLevel:
    def test_with_an_availability_objective_single_bad_beats_are_borne(self):
        down = [(0.25, 6.05), (9.05, 9.15)]
        assert terms(drill(down=down))[2:] == (9.1, 9.2)
        assert terms(drill(down=down, plan={"availability": 0.95}))[2:] == (6.0, 6.1)

    def test_what_is_borne_does_not_make_the_lower_edge_late(self):
        # Verified as failed, so there is no d; the bad beat at 9.1 was within the objective and refutes nothing.
        run = drill(
            down=[(0.25, 6.05), (15.05, 15.15)], plan={"availability": 0.95}, prober=Prober(end=23, lost=[(18, 99)])
        )
        assert lo_hi(run.measured.rta) == (5.7, None)

    def test_load_that_is_slow_moves_the_end(self):
        load = steady_load(latency=lambda at: 0.5 if 6.05 <= at < 8.02 else 0.03)
        run = drill(load=load, plan={"p95": 0.2})
        # Five in a hundred requests may be slow: 0.25 s before the last slow one, the window holds.
        assert terms(run)[2:] == (7.7, 7.8)
        assert run.measured.stamps["t_service_restored"] == {"lo": 7.7, "hi": 7.8}

    def test_requests_that_fail_are_never_fast_enough(self):
        load = steady_load(latency=lambda _: 0.001, ok=lambda at: at < 0.25 or (at >= 6.05 and round(at * 50) % 10))
        assert lo_hi(drill(load=load, plan={"p95": 0.2}).measured.rta)[1] is None

    def test_load_that_died_proves_nothing(self):
        load = steady_load(died_at=9.0)
        run = drill(load=load, edit=lambda journal: insert(journal, 9.2, Kind.EVENT, what="load_died"))
        assert lo_hi(run.measured.rta) == (5.7, None)
        assert run.outcome("slo.throughput") == "unknown"
        assert run.verdict.outcome is Outcome.UNKNOWN

    def test_load_that_fell_silent_without_an_event_proves_nothing_either(self):
        assert lo_hi(drill(load=steady_load(died_at=9.0)).measured.rta)[1] is None

    def test_too_little_throughput_is_no_service(self):
        load = steady_load(ok=lambda at: at < 0.25 or (at >= 6.05 and (at >= 8.05 or round(at * 50) % 2 == 0)))
        d = terms(drill(load=load))[3]
        assert 7.0 < d < 8.1
