"""What is cut off never helps: no cut of a journal or a sample file turns a verdict better."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drillmark import judge, measure
from drillmark.model.evidence import Evidence
from drillmark.model.verdict import Outcome, Verdict
from exhaustive import how_many
from rig import checks, loads, more, positions, scenario, sides
from rig.journal import SECOND, cut, tables_of, with_tables
from rig.plain import Run, drill
from rig.test_histories import make as make_history

MAKERS = {
    "drill": scenario.make,
    "spoiled": partial(scenario.make, spoil_end=True),
    "check": checks.make,
    "load": loads.make,
    "simulated": sides.make,
    "positions": positions.make,
    "several writers": lambda random: more.Made(make_history(random)[0]),
    "detection": more.detection,
    "load parts": more.load_parts,
    "bare": more.bare,
}
# The column that says when a row was written, and what comes on top of it.
WRITTEN = {
    "beats": ("received_ns",),
    "side": ("received_ns",),
    "positions": ("received_ns",),
    "ledger": ("at_ns",),
    "load": ("start_ns", "latency_ns"),
    "load_users": ("at_ns",),
    "load_clocks": ("received_ns",),
}
SLOW = settings(deadline=None, max_examples=how_many(150, 4_000), suppress_health_check=[HealthCheck.too_slow])


def judged(evidence: Evidence) -> Verdict:
    return judge.judge(evidence, measure.measure(evidence))


def rows_until(evidence: Evidence, name: str, at_ns: int) -> int:
    """How many rows a file held at some instant."""
    table = tables_of(evidence).get(name)
    columns = WRITTEN.get(name.partition("-")[0])
    assert table is not None
    if columns is None:
        return len(table) // 2
    return int(np.searchsorted(sum(table[column] for column in columns), at_ns))


def files_of(evidence: Evidence) -> list[str]:
    return sorted(name for name, table in tables_of(evidence).items() if table is not None)


def one_of(evidence: Evidence, pick: float) -> str | None:
    """One of a run's sample files; None where it has none."""
    names = files_of(evidence)
    return names[min(len(names) - 1, int(pick * len(names)))] if names else None


def better(whole: Verdict, part: Verdict) -> list[str]:
    """What the part passes that the whole did not."""
    found = []
    if part.outcome is Outcome.PASSED and whole.outcome is not Outcome.PASSED:
        found.append(f"the run: {whole.outcome} {whole.reasons} became passed")
    for one in part.judged:
        before = whole.of(one.name)
        if one.outcome is Outcome.PASSED and before is not None and before.outcome is not Outcome.PASSED:
            found.append(f"{one.name}: {before.outcome} ({before.reason}) became passed, {one.observed}")
    return found


def evidence_of(kind: str, seed: int) -> Evidence:
    made = MAKERS[kind](Random(seed)).evidence
    objectives = made.plan.objectives
    # Every other run is given objectives that it meets, so that there is something to lose.
    if seed % 2:
        objectives = objectives.model_copy(update={"rto_seconds": 1e4, "rpo_seconds": 1e6, "after_undo_seconds": None})
    return replace(made, plan=made.plan.model_copy(update={"objectives": objectives}))


@SLOW
@given(kind=st.sampled_from(sorted(MAKERS)), seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_a_cut_journal_is_never_better(kind: str, seed: int, share: float):
    evidence = evidence_of(kind, seed)
    kept = evidence.entries[: int(share * len(evidence.entries))]
    assert not better(judged(evidence), judged(replace(evidence, entries=kept)))


@SLOW
@given(
    kind=st.sampled_from(sorted(MAKERS)),
    seed=st.integers(0, 10_000),
    pick=st.floats(0, 1),
    share=st.floats(0, 1),
    from_the_end=st.integers(0, 40) | st.none(),
)
def test_a_cut_sample_file_is_never_better(kind: str, seed: int, pick: float, share: float, from_the_end: int | None):
    evidence = evidence_of(kind, seed)
    name = one_of(evidence, pick)
    table = tables_of(evidence).get(name or "")
    if name is None or table is None:
        return
    # The last rows are where a cut is least seen.
    rows = int(share * len(table)) if from_the_end is None else max(0, len(table) - from_the_end)
    assert not better(judged(evidence), judged(with_tables(evidence, {name: cut(table, rows)})))


@SLOW
@given(
    kind=st.sampled_from(sorted(MAKERS)),
    seed=st.integers(0, 10_000),
    pick=st.floats(0, 1),
    place=st.floats(0, 1),
    offset=st.floats(-1, 1),
)
def test_a_writer_killed_near_something_that_matters_is_never_better(
    kind: str, seed: int, pick: float, place: float, offset: float
):
    evidence = evidence_of(kind, seed)
    name = one_of(evidence, pick)
    table = tables_of(evidence).get(name or "")
    if name is None or table is None or not evidence.entries:
        return
    entry = evidence.entries[round(place * (len(evidence.entries) - 1))]
    rows = rows_until(evidence, name, entry.stamp.monotonic_ns + round(offset * SECOND))
    part = with_tables(evidence, {name: cut(table, rows)})
    assert not better(judged(evidence), judged(part))


@SLOW
@given(kind=st.sampled_from(sorted(MAKERS)), seed=st.integers(0, 10_000), pick=st.floats(0, 1))
def test_a_missing_sample_file_is_never_better(kind: str, seed: int, pick: float):
    evidence = evidence_of(kind, seed)
    name = one_of(evidence, pick)
    if name is None:
        return
    assert not better(judged(evidence), judged(with_tables(evidence, {name: None})))


@SLOW
@given(
    kind=st.sampled_from(sorted(MAKERS)),
    seed=st.integers(0, 10_000),
    shares=st.lists(st.floats(0, 1) | st.just(1.0), min_size=16, max_size=16),
    journal=st.floats(0, 1) | st.just(1.0),
)
def test_cut_everywhere_at_once_is_never_better(kind: str, seed: int, shares: list[float], journal: float):
    evidence = evidence_of(kind, seed)
    tables = {
        name: cut(table, int(share * len(table))) if share < 1 else table
        for name, share in zip(files_of(evidence), shares, strict=False)
        if (table := tables_of(evidence)[name]) is not None
    }
    entries = evidence.entries[: int(journal * len(evidence.entries))]
    assert not better(judged(evidence), judged(with_tables(replace(evidence, entries=entries), tables)))


def test_some_of_these_runs_pass():
    """The properties above say nothing if every run fails anyway."""
    for kind in sorted(MAKERS.keys() - {"spoiled"}):
        outcomes = [judged(evidence_of(kind, seed)).outcome for seed in range(1, 60, 2)]
        assert outcomes.count(Outcome.PASSED) >= 2, (kind, outcomes)


def test_beats_still_pending_where_the_file_was_cut_are_not_taken_for_good():
    # The beat at 19.9 goes down with the service and times out at 21.9; the file ends at 20.5, before its row.
    run = drill(down=[(0.25, 6.05), (19.85, 25.0)], failure="timeout")
    beats = run.evidence.beats
    assert beats is not None
    rows = rows_until(run.evidence, "beats", run.evidence.entries[0].stamp.monotonic_ns + round(32.5 * SECOND))
    assert beats["sent_ns"][:rows].max() < run.evidence.entries[0].stamp.monotonic_ns + 31.85 * SECOND
    assert run.outcome("rto") == "unknown"
    assert Run(replace(run.evidence, beats=cut(beats, rows))).outcome("rto") == "unknown"
    assert drill(down=[(0.25, 6.05)]).outcome("rto") == "passed"


def test_without_its_log_positions_a_copy_from_later_log_is_not_believed():
    """The restore names the right listing, and only the positions show that later log was used."""
    seen = 0
    for seed in range(200):
        made = sides.make(Random(seed))
        table = made.evidence.positions
        whole = judged(made.evidence).of("source")
        assert whole is not None
        if made.kind != "later_log" or table is None or whole.outcome is not Outcome.FAILED:
            continue
        seen += 1
        for left in (None, cut(table, 0), cut(table, len(table) // 4)):
            part = judged(with_tables(made.evidence, {"positions": left})).of("source")
            assert part is not None
            assert part.outcome is not Outcome.PASSED, part
    assert seen > 5
