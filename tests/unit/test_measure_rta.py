"""RTA: every case that the explanation in `docs/explanation/measurement.md` names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.measurement import Measured
from drillmark.model.stamp import Stamp
from drillmark.model.verdict import Outcome
from rig.journal import SECOND, Journal, cut
from rig.plain import Run, check, drill, steady_load
from rig.service import Prober


def lo_hi(measured: Measured) -> tuple[float, float | None]:
    assert measured.seconds is not None, measured.reason
    hi = measured.seconds.hi
    return round(measured.seconds.lo, 3), None if hi is None else round(hi, 3)


def terms(run: Run) -> tuple[Any, ...]:
    found = run.measured.rta.cited.terms
    return tuple(None if found[name] is None else round(found[name], 3) for name in "abcd")


def drop(journal: Journal, effect: Effect, kind: Kind | None = None, key: str | None = None) -> None:
    journal.entries = [
        entry
        for entry in journal.entries
        if not (entry.effect is effect and kind in (None, entry.kind) and key in (None, entry.key))
    ]


def changed(journal: Journal, effect: Effect, kind: Kind, **data: Any) -> None:
    journal.entries = [
        replace(entry, data=entry.data | data) if entry.effect is effect and entry.kind is kind else entry
        for entry in journal.entries
    ]


def insert(journal: Journal, at: float, kind: Kind, **data: Any) -> None:
    """An entry in its place by time."""
    journal.add(kind, at, **data)
    journal.entries.sort(key=lambda entry: entry.stamp.monotonic_ns)
    journal.entries = [replace(entry, sequence=number) for number, entry in enumerate(journal.entries, 1)]


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


class TestAwayAndUndone:
    def test_the_runners_absence_stays_in_the_number_but_does_not_fail_it(self):
        def resumed(journal: Journal) -> None:
            away = {"absent_from": journal.at(2.5).as_json(), "absent_to": journal.at(3.5).as_json()}
            insert(journal, 3.5, Kind.RESUMED, epoch=2, **away)

        run = drill(edit=resumed, plan={"rto": 5.0})
        assert lo_hi(run.measured.rta) == (5.7, 5.9)
        assert run.measured.rta.away_seconds == pytest.approx(1.0)
        assert run.outcome("rto") == "unknown"
        assert "runner was away" in run.reason("rto")
        assert drill(edit=resumed, plan={"rto": 4.0}).outcome("rto") == "failed"
        assert drill(edit=resumed, plan={"rto": 6.0}).outcome("rto") == "passed"

    def test_an_absence_outside_the_outage_is_no_excuse(self):
        def resumed(journal: Journal) -> None:
            away = {"absent_from": journal.at(8.0).as_json(), "absent_to": journal.at(9.0).as_json()}
            insert(journal, 9.0, Kind.RESUMED, epoch=2, **away)

        run = drill(edit=resumed, plan={"rto": 5.0})
        assert run.measured.rta.away_seconds == 0
        assert run.outcome("rto") == "failed"

    def test_an_abort_that_undid_the_fault_first_makes_it_unknown(self):
        def aborted(journal: Journal) -> None:
            drop(journal, Effect.SOAK)
            drop(journal, Effect.UNDO)
            insert(journal, 7.0, Kind.ABORT, by="person", reason="enough")
            insert(journal, 7.1, Kind.INTENT, effect="undo", key="", attempt=1)

        run = drill(edit=aborted, plan={"rto": 1.0})
        assert run.measured.rta.seconds is None
        assert "undone before restored" in run.measured.rta.reason
        assert run.verdict.aborted

    def test_an_abort_after_the_hold_window_leaves_the_number(self):
        run = drill(edit=lambda journal: insert(journal, 20.5, Kind.ABORT, by="person", reason="enough"))
        assert lo_hi(run.measured.rta) == (5.7, 5.9)
        assert run.verdict.aborted
        assert run.verdict.outcome is Outcome.UNKNOWN

    def test_a_guard_that_undid_the_fault_makes_it_unknown(self):
        def guarded(journal: Journal) -> None:
            drop(journal, Effect.UNDO)
            drop(journal, Effect.PROVE_UNDONE)
            insert(journal, 18.0, Kind.GUARD, what="acting", stamp=journal.at(8.0).as_json())
            insert(journal, 18.0, Kind.GUARD, what="undone", stamp=journal.at(8.5).as_json())

        run = drill(edit=guarded)
        assert "the guard" in run.measured.rta.reason
        assert run.verdict.aborted
        assert run.outcome("undo") == "passed"

    def test_a_baseline_that_was_begun_anew_counts_from_its_second_beginning(self):
        def voided(journal: Journal) -> None:
            insert(journal, -7.0, Kind.EVENT, what="voided", voided=["baseline"])
            insert(journal, -6.0, Kind.INTENT, effect="baseline", key="", attempt=2)

        run = drill(edit=voided, down=[(-7.5, -7.0), (0.25, 6.05)])
        assert run.outcome("steady_state") == "passed"
        assert run.measured.slo["baseline"].window_seconds == (-6.0, 0.0)


class TestClocks:
    @staticmethod
    def rebooted(journal: Journal, at: float) -> None:
        def moved(entry: Entry) -> Entry:
            stamp = entry.stamp
            if stamp.monotonic_ns < journal.at(at).monotonic_ns:
                return entry
            data = {
                key: value | {"boot": "boot-2", "monotonic_ns": 5} if key == "ended" else value
                for key, value in entry.data.items()
            }
            return replace(entry, stamp=Stamp(5, stamp.wall_ns, stamp.host, "boot-2"), data=data)

        journal.entries = [moved(entry) for entry in journal.entries]

    def test_across_a_reboot_wall_time_and_its_error_count(self):
        run = drill(down=[(0.25, 3.05)], edit=lambda journal: self.rebooted(journal, 3.0))
        # The last activity's intent (4 s) and outcome (6 s) are known to 0.05 s only.
        assert lo_hi(run.measured.rta) == (3.65, 5.9)

    def test_without_a_stated_error_it_is_unknown(self):
        def unstated(journal: Journal) -> None:
            self.rebooted(journal, 3.0)
            journal.entries[0] = replace(journal.entries[0], data={"drill": "rig"})

        run = drill(edit=unstated)
        assert run.measured.rta.seconds is None
        assert "no error is stated" in run.measured.rta.reason
        assert run.verdict.outcome is Outcome.UNKNOWN

    def test_beats_of_another_clock_are_not_compared(self):
        def moved(evidence: Any) -> Any:
            evidence.beats.meta["boot"] = "boot-0"
            return evidence

        run = drill(tables=moved)
        assert run.measured.rta.seconds is None
        assert "another clock" in run.measured.rta.reason


class TestEvidence:
    def test_a_certain_disorder_makes_it_unknown_and_never_zero(self):
        report = {"drillmark": {"data_restored_ns": [mono(1.0), mono(1.5)]}}
        run = drill(recover_data=report)
        assert run.measured.rta.seconds is None
        assert "out of order" in run.measured.rta.reason

    def test_a_file_shorter_than_the_journal_says_is_not_used(self):
        closed = {"what": "samples_closed", "file": "samples/beats.dms", "rows": 330, "closed": True}
        run = drill(
            edit=lambda journal: insert(journal, 22.1, Kind.EVENT, **closed),
            tables=lambda evidence: replace(evidence, beats=cut(evidence.beats, 300)),
        )
        assert "the journal says 330" in run.measured.rta.reason

    def test_no_beats_at_all(self):
        run = drill(tables=lambda evidence: replace(evidence, beats=None))
        assert run.measured.rta.reason == "no beats were recorded"
        assert run.verdict.outcome is Outcome.UNKNOWN

    def test_without_probes_there_is_no_rta_unless_the_drill_states_an_rto(self):
        assert drill(plan={"probes": 0}).outcome("rto") == "not_applicable"
        assert drill(plan={"probes": 0, "rto": 5.0}).outcome("rto") == "unknown"

    def test_every_number_says_where_it_comes_from(self):
        cited = drill().measured.rta.cited
        assert cited.formula == "RTA = [max(0, c - b), d - a]"
        assert cited.filled_in == "RTA = [max(0, 6.000 - 0.300), 6.100 - 0.200] = [5.700, 5.900] s"
        assert cited.samples == ("samples/beats.dms",)
        assert cited.entries

    def test_a_measuring_part_that_raises_makes_its_number_unknown(self, monkeypatch: pytest.MonkeyPatch):
        from drillmark.measure.outage import rta

        def broken(*_: object) -> None:
            raise ZeroDivisionError("surprise")

        monkeypatch.setattr(rta, "service", broken)
        run = drill()
        assert run.measured.rta.seconds is None
        assert "surprise" in run.measured.rta.reason
        assert any("surprise" in error for error in run.measured.errors)
        assert run.verdict.outcome is Outcome.UNKNOWN

    def test_an_empty_journal_measures_nothing_and_raises_nothing(self):
        run = drill(tables=lambda evidence: replace(evidence, entries=()))
        assert run.measured.rta.reason == "the journal is empty"
        assert run.verdict.outcome is Outcome.UNKNOWN

    def test_sample_files_full_of_nonsense_raise_nothing(self):
        def nonsense(evidence: Any) -> Any:
            evidence.beats.meta.pop("period_ns")
            return evidence

        run = drill(tables=nonsense)
        assert run.measured.rta.seconds is None
        assert run.measured.errors
        assert run.verdict.outcome is Outcome.UNKNOWN


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


def mono(at: float) -> int:
    return Journal().at(at).monotonic_ns
