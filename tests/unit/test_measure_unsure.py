"""RTA where the runner was away, clocks changed, somebody undid the fault, or the evidence is not what it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drillmark.model.entry import Effect, Entry, Kind
from drillmark.model.stamp import Stamp
from drillmark.model.verdict import Outcome
from rig.journal import Journal, cut
from rig.looking import drop, insert, lo_hi, mono
from rig.plain import drill


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
