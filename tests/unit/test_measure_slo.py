"""The service level by phase, the steady state, and the questions asked while a run goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from drillmark import measure, runs
from drillmark.model.entry import Effect, Kind
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Indicator
from drillmark.model.stamp import Interval
from page_runs import write_table
from rig import service as service_of
from rig.journal import SECOND, Journal, cut
from rig.plain import Run, check, drill, steady_load
from rig.service import Prober, Service


def indicator(run: Run, phase: str, name: str) -> Indicator:
    return run.measured.slo[phase].indicators[name]


def mono(at: float) -> int:
    return Journal().at(at).monotonic_ns


class TestPhases:
    def test_a_drill_with_a_recovery(self):
        slo = drill(load=steady_load()).measured.slo
        assert list(slo) == ["baseline", "outage", "hold", "soak"]
        assert [phase.judged for phase in slo.values()] == [True, False, True, True]
        assert slo["hold"].window_seconds == (6.1, 11.1)
        assert slo["soak"].window_seconds == (6.1, 20.0)
        assert slo["outage"].window_seconds == (0.0, 6.1)
        assert (slo["baseline"].good_beats, slo["baseline"].bad_beats) == (80, 0)
        assert (slo["soak"].bad_beats, slo["soak"].absent_beats) == (0, 0)
        assert slo["outage"].bad_beats == 58

    def test_a_check(self):
        slo = check().measured.slo
        assert list(slo) == ["baseline", "fault", "hold", "soak"]
        assert slo["fault"].window_seconds == (0.0, 30.0)
        assert slo["fault"].judged

    def test_the_outage_that_is_to_be_recovered_is_reported_only(self):
        run = drill(plan={"availability": 0.9})
        assert run.measured.slo["outage"].indicators["availability"].met is False
        assert run.outcome("slo.availability") == "passed"

    def test_without_a_recovery_the_fault_is_judged(self):
        run = check(plan={"availability": 0.9})
        assert run.outcome("slo.availability") == "failed"
        assert run.reason("slo.availability") == "missed in fault"
        assert check(plan={"availability": 0.8}).outcome("slo.availability") == "passed"

    def test_never_restored_is_judged_over_the_soak_as_it_was(self):
        run = drill(down=[(0.25, 99.0)], plan={"availability": 0.9})
        assert run.measured.slo["soak"].window_seconds == (6.5, 20.0)
        assert run.outcome("slo.availability") == "failed"


class TestIndicators:
    def test_availability(self):
        assert indicator(check(), "fault", "availability").observed == Interval(242 / 300, 242 / 300)

    def test_absent_beats_widen_availability_and_make_it_unknown(self):
        run = check(down=[], prober=Prober(end=53, lost=[(10.05, 11.05)]), plan={"availability": 0.99})
        found = indicator(run, "fault", "availability")
        assert found.observed is not None
        assert found.observed.lo == pytest.approx(289 / 300, abs=0.005)
        assert found.observed.hi == 1.0
        assert found.met is None
        assert run.outcome("slo.availability") == "unknown"

    def test_absent_beats_do_not_hide_what_is_missed_anyway(self):
        run = check(prober=Prober(end=53, lost=[(10.05, 11.05)]), plan={"availability": 0.99})
        assert run.outcome("slo.availability") == "failed"

    def test_percentiles_by_nearest_rank(self):
        load = steady_load(latency=lambda at: 0.3 if round(at * 50) % 25 == 0 else 0.03, ok=lambda _: True)
        run = drill(down=[], load=load, plan={"p95": 0.2})
        found = run.measured.slo["soak"].indicators
        assert found["latency.p50"].observed == Interval(0.03, 0.03)
        assert found["latency.p95"].observed == Interval(0.03, 0.03)
        assert found["latency.p99"].observed == Interval(0.3, 0.3)
        assert run.outcome("slo.latency.p95") == "passed"

    def test_a_percentile_at_which_nothing_was_answered_has_no_bound(self):
        load = steady_load(ok=lambda at: round(at * 50) % 10 != 0)
        found = drill(down=[], load=load).measured.slo["soak"].indicators["latency.p95"].observed
        assert found == Interval(0.03, None)

    def test_error_rate(self):
        load = steady_load(ok=lambda at: round(at * 50) % 20 != 0)
        run = drill(down=[], load=load, plan={"error_ratio": 0.06})
        observed = indicator(run, "soak", "error_rate").observed
        assert observed is not None
        assert observed.lo == pytest.approx(0.05, abs=0.002)
        assert run.outcome("slo.error_rate") == "passed"
        failing = drill(down=[], load=load, plan={"error_ratio": 0.01})
        assert failing.outcome("slo.error_rate") == "failed"
        assert failing.outcome("steady_state") == "failed"

    def test_throughput_without_an_objective_is_nine_tenths_of_the_baselines(self):
        run = drill(load=steady_load())
        found = indicator(run, "soak", "throughput")
        assert found.objective == pytest.approx(45, abs=0.5)
        assert found.observed is not None
        assert found.observed.lo == pytest.approx(50, abs=0.5)
        assert indicator(run, "baseline", "throughput").objective is None
        assert run.outcome("slo.throughput") == "passed"

    def test_a_stated_throughput_counts_in_the_baseline_too(self):
        run = drill(load=steady_load(), plan={"throughput": 60.0})
        assert run.reason("slo.throughput") == "missed in baseline"

    def test_what_stands_for_an_objective_is_its_worst_phase(self):
        load = steady_load(
            ok=lambda at: not 0 < at < 6.1 and (at < 0 or round(at * 50) % 20 != 0),
            latency=lambda at: 0.03 if at < 0 else 0.05,
        )
        run = drill(load=load, plan={"error_ratio": 0.06, "p95": 0.2, "throughput": 40.0})
        for name, sooner, observed in (("error_rate", "baseline", 0.0), ("latency.p95", "baseline", 0.03)):
            judged = run.verdict.of(f"slo.{name}")
            assert judged is not None
            assert indicator(run, sooner, name).observed == Interval(observed, observed)
            assert (str(judged.outcome), judged.phase in {"hold", "soak"}) == ("passed", True)
            assert judged.observed == indicator(run, judged.phase, name).observed
            assert judged.observed is not None
            assert judged.observed.hi is not None
            assert judged.observed.hi > observed
        least = run.verdict.of("slo.throughput")
        assert least is not None
        phases = [indicator(run, phase, "throughput").observed for phase in ("baseline", "hold", "soak")]
        assert least.observed == min(phases, key=lambda one: one.lo if one else 0.0)

    def test_objectives_of_a_load_that_the_drill_does_not_have_are_unknown(self):
        run = drill(plan={"p95": 0.2})
        assert run.outcome("slo.latency.p95") == "unknown"
        assert run.reason("slo.latency.p95") == "the drill has no load in baseline"

    def test_beats_show_what_a_stalled_load_hides(self):
        """A closed loop sends little while it waits; the beats go on and say how long users would have waited."""
        service = Service([], latency=0.01)
        beats = service_of.beats(service, Prober(end=23), Random(1))
        slow = (beats["sent_ns"] >= mono(10.0)) & (beats["sent_ns"] < mono(12.0))
        beats.columns["received_ns"][slow] = mono(12.0)
        run = drill(load=steady_load(ok=lambda _: True), tables=lambda evidence: replace(evidence, beats=beats))
        phase = run.measured.slo["soak"]
        assert phase.indicators["latency.p99"].observed == Interval(0.03, 0.03)
        assert phase.beat_p99_seconds is not None
        assert phase.beat_p99_seconds > 1.5

    def test_load_that_stalled_makes_the_service_level_unknown(self):
        def stalled(evidence: Evidence) -> Evidence:
            users = evidence.load_users
            assert users is not None
            kept = (users["at_ns"] < mono(9.0)) | (users["at_ns"] > mono(13.5))
            return replace(evidence, load_users=replace(users, columns={k: v[kept] for k, v in users.columns.items()}))

        run = drill(load=steady_load(), tables=stalled, soak_end=15.0)
        assert run.outcome("slo.throughput") == "unknown"

    def test_a_load_file_that_was_cut_is_not_judged(self):
        def shortened(evidence: Evidence) -> Evidence:
            assert evidence.load is not None
            return replace(evidence, load=cut(evidence.load, len(evidence.load) - 1))

        run = drill(load=steady_load(), tables=shortened, plan={"p95": 0.2})
        assert run.outcome("slo.latency.p95") == "unknown"
        assert run.outcome("rto") == "unknown"


def so_far(run: Run, until: float, *effects: Effect) -> Evidence:
    """A run as it lies on disk while it goes on: rows written so far, entries up to the last of some effects."""
    evidence = run.evidence
    tables: dict[str, Any] = {}
    for name, columns in (
        ("beats", ("received_ns",)),
        ("load", ("start_ns", "latency_ns")),
        ("load_users", ("at_ns",)),
    ):
        table = getattr(evidence, name)
        if table is not None:
            written = sum(table[column] for column in columns)
            tables[name] = replace(cut(table, int(np.searchsorted(written, mono(until)))), torn=False)
    last = max(n for n, entry in enumerate(evidence.entries) if entry.effect in effects and entry.kind is Kind.OUTCOME)
    return replace(evidence, entries=evidence.entries[: last + 1], **tables)


def baseline(run: Run, until: float = -0.5) -> tuple[bool | None, str]:
    entries = [entry for entry in run.evidence.entries if entry.stamp.monotonic_ns <= mono(-8.0)]
    evidence = so_far(run, until, Effect.OBSERVERS)
    return measure.steady_state(replace(evidence, entries=tuple(entries)), mono(until))


class TestSteadyState:
    def test_met(self):
        assert baseline(drill()) == (True, "")
        assert baseline(drill(load=steady_load(), plan={"p95": 0.2})) == (True, "")

    def test_files_may_lag_a_little(self):
        run = drill()
        entries = tuple(entry for entry in run.evidence.entries if entry.stamp.monotonic_ns <= mono(-8.0))
        lagging = replace(so_far(run, -0.9, Effect.OBSERVERS), entries=entries)
        assert measure.steady_state(lagging, mono(-0.5)) == (True, "")
        assert measure.steady_state(lagging, mono(1.0))[0] is False

    @pytest.mark.parametrize(
        ("run", "met", "word"),
        [
            (drill(down=[(-3.0, -2.5)]), False, "missed over the baseline"),
            (drill(prober=Prober(end=23, lost=[(-3.0, -2.5)])), False, "absent"),
            (drill(prober=Prober(end=23, lost=[(-4.0, 9.0)])), False, "silent"),
            (drill(load=steady_load(died_at=-6.5)), False, "silent"),
            (drill(load=steady_load(latency=lambda _: 0.4), plan={"p95": 0.2}), False, "missed"),
            (drill(plan={"hold": 9.0}), None, "shorter than the hold window"),
            (drill(tables=lambda evidence: replace(evidence, beats=None)), None, "no beats"),
            (drill(prober=Prober(end=23), plan={"load": True}), None, "load"),
        ],
    )
    def test_not_met_or_not_known(self, run: Run, met: bool | None, word: str):
        found, reason = baseline(run)
        assert found is met
        assert word in reason

    def test_slow_answers_pile_up(self):
        service = Service([], latency=0.6)
        beats = service_of.beats(service, Prober(end=23), Random(1))
        met, reason = baseline(drill(tables=lambda evidence: replace(evidence, beats=beats)))
        assert met is False
        assert "in flight" in reason

    def test_with_nothing_to_look_at_there_is_nothing_to_refuse(self):
        assert baseline(drill(plan={"probes": 0}))[0] is True


class TestWhileItGoesOn:
    def test_restored_when_the_hold_window_is_complete(self):
        run = drill()
        for until, found in ((6.3, None), (11.0, None), (11.3, 6.1), (15.0, 6.1)):
            stamp = measure.restored(so_far(run, until, Effect.VERIFY))
            assert (None if stamp is None else round((stamp.monotonic_ns - mono(0)) / SECOND, 3)) == found

    def test_not_before_the_recovery_ended(self):
        run = drill(down=[(0.25, 1.05)])
        assert measure.restored(so_far(run, 15.0, Effect.PROVE_EFFECT)) is None

    def test_a_relapse_takes_it_back(self):
        run = drill(down=[(0.25, 6.05), (12.0, 12.5)])
        assert measure.restored(so_far(run, 11.5, Effect.VERIFY)) is not None
        assert measure.restored(so_far(run, 12.3, Effect.VERIFY)) is None
        assert measure.restored(so_far(run, 17.8, Effect.VERIFY)) is not None

    def test_a_pending_answer_is_not_a_good_one(self):
        run = drill(down=[(0.25, 6.05), (11.05, 99.0)], failure="timeout")
        assert measure.restored(so_far(run, 12.0, Effect.VERIFY)) is None

    def test_load_counts_too(self):
        run = drill(load=steady_load(latency=lambda at: 0.4 if 6 < at < 9 else 0.03), plan={"p95": 0.2})
        assert measure.restored(so_far(run, 12.0, Effect.VERIFY)) is None
        assert measure.restored(so_far(run, 16.0, Effect.VERIFY)) is not None

    def test_after_the_undo(self):
        run = check(down=[(0.25, 31.05)])
        assert measure.after_undo_restored(so_far(run, 33.0, Effect.UNDO)) is None
        stamp = measure.after_undo_restored(so_far(run, 37.0, Effect.UNDO))
        assert stamp is not None
        assert round((stamp.monotonic_ns - mono(0)) / SECOND, 3) == 31.1
        assert measure.after_undo_restored(so_far(run, 37.0, Effect.FAULT)) is None

    def test_cheap_enough_for_once_a_second(self, tmp_path: Path):
        """From the files, as the runner looks: 0.05 s of the processor after half an hour, in proportion to its length."""
        cost: dict[int, float] = {}
        for minutes in (3, 30):
            end = 60.0 * minutes
            load = steady_load(end=end, every=0.02)
            run = drill(soak_end=end - 20, prober=Prober(end=end), load=load, plan={"p95": 0.2})
            evidence = so_far(run, end - 30, Effect.VERIFY)
            folder = stored(evidence, tmp_path / str(minutes))
            cost[minutes] = min(cost_of_a_look(folder, evidence) for _ in range(4))
        assert cost[30] < 1, cost
        assert cost[30] < 25 * cost[3], cost  # what grows with the square of the length takes a hundred times as much


def stored(evidence: Evidence, folder: Path) -> Path:
    """The sample files of a run so far."""
    (folder / "samples").mkdir(parents=True)
    tables = {"beats": evidence.beats, "load": evidence.load, "load-users": evidence.load_users}
    for name, found in tables.items():
        write_table(folder / "samples" / f"{name}.dms", found)
    return folder


def cost_of_a_look(folder: Path, so_far: Evidence) -> float:
    """Seconds of the processor to open the files and to see that service is restored."""
    begin = time.process_time()
    evidence = runs.read_evidence(folder, so_far.plan, so_far.entries)
    found = measure.restored(evidence)
    took = time.process_time() - begin
    assert found == measure.restored(so_far) is not None
    return took
