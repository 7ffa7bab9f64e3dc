"""RPA: what was acknowledged and did not come back, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drillmark import measure  # noqa: F401  (the package under test)
from drillmark.model.entry import Effect, Kind
from drillmark.model.evidence import Evidence, Table, Written
from rig.journal import Journal, cut
from rig.plain import Run, check, drill
from rig.store import Store
from rig.written import NEW, NEW_IDS, OLD, Write, ledger, lo_hi, survivors


def run(
    written: Table | None,
    read: Table | None,
    *,
    recover_data: dict[str, Any] | None = None,
    plan: dict[str, Any] | None = None,
    edit: Any = lambda _: None,
    **more: Any,
) -> Run:
    def tables(evidence: Evidence) -> Evidence:
        return replace(evidence, written={"": Written(written, read)})

    base = {"drillmark": {"data_restored_ns": [mono(5.0), mono(5.2)]} | (recover_data or {})}
    blank = Store(gone_at=0.0, recovery_point=None, new_from=7.0)
    return drill(store=blank, tables=tables, recover_data=base, plan=plan, edit=edit, **more)


def mono(at: float) -> int:
    return Journal().at(at).monotonic_ns


def test_the_tail_is_lost():
    made = run(ledger(OLD + NEW), survivors([*range(1, 8), *NEW_IDS]))
    writes = made.measured.writes
    assert writes is not None
    assert (writes.acknowledged, writes.attempted, writes.survived, writes.lost) == (11, 11, 7, 4)
    assert writes.lost_ids == (8, 9, 10, 11)
    assert (writes.holes, writes.unexpected, writes.split_brain, writes.lost_after) == (0, 0, 0, 0)
    assert writes.acknowledged_after == 3
    # t0 is [0.2, 0.3]; the first lost write was acknowledged at -1.4; 7 was sent at -2.
    assert lo_hi(made.measured.rpa) == (1.6, 2.3)
    assert made.outcome("integrity") == "passed"


def test_a_point_in_time_with_writes_after_it_is_not_called_nothing():
    more: list[Write] = [(number, -5.5 + number / 2, -5.4 + number / 2, 1) for number in range(12, 18)]
    made = run(ledger(OLD + more + NEW), survivors([*range(1, 12), *NEW_IDS]))
    # All that was lost was acknowledged after t0: from 0.6 to 3.1, and E is there.
    assert lo_hi(made.measured.rpa) == (2.4, 3.1)
    assert lo_hi(made.measured.durations["rpa_before_t0"]) == (0.0, 0.3)
    assert lo_hi(made.measured.durations["rpa_after_t0"]) == (2.7, 2.9)


def test_nothing_lost_is_never_a_bare_zero():
    assert lo_hi(run(ledger(OLD + NEW), survivors([*range(1, 12), *NEW_IDS])).measured.rpa) == (0.0, 0.3)


def test_nothing_lost_is_as_wide_as_the_writer_paused_anywhere_in_t0():
    """The disaster came somewhere in [a, b]; that a write was acknowledged just before b is chance."""
    # Without an outage in the beats t0 is [0, 1]; nobody wrote from 0.05 to 0.9.
    more: list[Write] = [(12, 0.0, 0.05, 1), (13, 0.8, 0.9, 1)]
    made = run(ledger(OLD + more + NEW), survivors([*range(1, 14), *NEW_IDS]), down=[])
    assert lo_hi(made.measured.rpa) == (0.0, 0.9)


def test_nothing_lost_by_a_writer_that_died_early_is_wide():
    made = run(ledger(OLD[:3]), survivors([1, 2, 3]))
    assert lo_hi(made.measured.rpa) == (0.0, 4.3)


def test_a_writer_that_died_cannot_see_what_was_lost_after_it():
    early = ledger(OLD[:8], closed=False)
    rows = {"what": "samples_closed", "file": "samples/ledger.dms", "rows": len(early), "closed": False}
    made = run(early, survivors(range(1, 6)), edit=lambda journal: journal.entries.insert(-1, _event(journal, rows)))
    # Read back from 20.5 on: until then the old store may have acknowledged what nobody saw.
    assert lo_hi(made.measured.rpa) == (2.6, 23.5)
    assert "ledger not closed" in made.measured.rpa.flags


def test_a_ledger_that_may_have_been_cut_has_no_upper_edge():
    whole = ledger(OLD + NEW)
    made = run(cut(whole, 12), survivors([*range(1, 12), *NEW_IDS]))
    assert lo_hi(made.measured.rpa)[1] is None
    assert made.outcome("rpo") == "unknown"


def test_everything_lost_goes_back_to_the_recovery_point_that_the_restore_reports():
    made = run(ledger(OLD + NEW), survivors(NEW_IDS), recover_data={"last_transaction_ns": mono(-86_400.0)})
    assert lo_hi(made.measured.rpa) == (5.1, 86_400.3)
    assert "as the restore reports it" in made.measured.rpa.cited.formula
    assert made.outcome("rpo") == "unknown"
    wall = {"last_transaction_wall_ns": Journal().at(-86_400.0).wall_ns}
    assert lo_hi(run(ledger(OLD + NEW), survivors(NEW_IDS), recover_data=wall).measured.rpa) == (5.1, 86_400.35)


@pytest.mark.parametrize("at", [-0.01, -4.85])
def test_a_reported_recovery_point_that_the_ledger_refutes_is_not_used(at: float):
    """The first lost write was acknowledged at -4.9: a restore up to later than that would have brought it back."""
    made = run(
        ledger(OLD + NEW), survivors(NEW_IDS), recover_data={"last_transaction_ns": mono(at)}, plan={"rpo": 60.0}
    )
    assert lo_hi(made.measured.rpa) == (5.1, None)
    assert made.outcome("rpo") == "unknown"
    assert "which cannot be" in made.reason("rpo")
    before = run(ledger(OLD + NEW), survivors(NEW_IDS), recover_data={"last_transaction_ns": mono(-4.95)})
    assert lo_hi(before.measured.rpa) == (5.1, 5.25)


def test_everything_lost_and_no_word_of_the_restore_has_no_upper_edge():
    made = run(ledger(OLD + NEW), survivors(NEW_IDS), plan={"rpo": 1.0})
    assert lo_hi(made.measured.rpa) == (5.1, None)
    assert made.outcome("rpo") == "failed"


def test_an_absent_table_is_everything_lost():
    made = run(ledger(OLD), survivors([], table_absent=True))
    assert made.measured.writes is not None
    assert made.measured.writes.lost == 11
    assert lo_hi(made.measured.rpa) == (5.1, None)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"identity": "other"}, "wrong store"),
        ({"identity": "unknown", "system_identifier": "2"}, "wrong store"),
        ({"identity": "unknown", "system_identifier": None}, "not known whether"),
    ],
)
def test_the_wrong_store_measures_nothing(change: dict[str, Any], word: str):
    made = run(ledger(OLD + NEW), survivors([*range(1, 12), *NEW_IDS], **change))
    assert made.measured.rpa.seconds is None
    assert word in made.measured.rpa.reason
    assert made.outcome("rpo") == "unknown"
    assert made.outcome("integrity") == "unknown"


def test_the_system_identifier_vouches_where_no_probe_does():
    made = run(ledger(OLD + NEW), survivors([*range(1, 12), *NEW_IDS], identity="unknown"))
    assert lo_hi(made.measured.rpa) == (0.0, 0.3)


def test_no_reading_no_number():
    for read in (None, survivors(range(1, 12), closed=False)):
        assert run(ledger(OLD), read).measured.rpa.seconds is None

    def failed(journal: Journal) -> None:
        journal.entries = [
            replace(entry, data=entry.data | {"status": "failed", "error": "two reads never agreed"})
            if entry.effect is Effect.READ_BACK and entry.kind is Kind.OUTCOME
            else entry
            for entry in journal.entries
        ]

    made = run(ledger(OLD), survivors(range(1, 12)), edit=failed)
    assert "two reads never agreed" in made.measured.rpa.reason
    assert made.outcome("rpo") == "unknown"


def test_no_ledger_or_nothing_acknowledged_is_unknown():
    assert "ledger" in run(None, survivors([])).measured.rpa.reason
    never = ledger([(1, -2.0, None, 0), (2, -1.0, None, 0)])
    assert run(never, survivors([])).measured.rpa.reason == "no write was ever acknowledged"


def test_a_ledger_that_contradicts_itself_is_unknown():
    backwards = ledger([(1, -2.0, -3.0, 1)])
    assert "contradicts itself" in run(backwards, survivors([1])).measured.rpa.reason


def test_holes_are_the_lost_writes_that_newer_survivors_prove():
    made = run(ledger(OLD + NEW), survivors([1, 2, 4, 5, 6, 7, 8, 9, 10, 11, *NEW_IDS]))
    writes = made.measured.writes
    assert writes is not None
    assert (writes.lost, writes.holes, writes.hole_ids) == (1, 1, (3,))
    assert made.outcome("integrity") == "failed"
    # The method of the newest row would call this nothing.
    assert lo_hi(made.measured.rpa)[0] > 4.0


def test_writes_on_the_restored_store_make_no_holes():
    made = run(ledger(OLD + NEW), survivors([1, 2, 3, *NEW_IDS]))
    assert made.measured.writes is not None
    assert made.measured.writes.holes == 0


def test_on_one_timeline_time_tells_old_from_new():
    """A logical restore into a fresh cluster has the same timeline as the old one."""
    same = [(number, invoked, acked, 1) for number, invoked, acked, _ in NEW]
    made = run(ledger(OLD + same), survivors([1, 2, 3, *NEW_IDS], timeline=1, identity="same"))
    assert made.measured.writes is not None
    assert (made.measured.writes.acknowledged, made.measured.writes.holes) == (11, 0)
    assert made.measured.writes.acknowledged_after == 3


def test_split_brain_writes_are_lost_and_counted():
    late: list[Write] = [(12, 7.3, 7.4, 1), (13, 8.4, 8.5, 1)]
    made = run(ledger(OLD + NEW + late), survivors([*range(1, 12), *NEW_IDS]))
    writes = made.measured.writes
    assert writes is not None
    assert (writes.lost, writes.split_brain, writes.split_brain_ids) == (2, 2, (12, 13))
    assert made.outcome("integrity") == "failed"
    assert lo_hi(made.measured.rpa) == (1.0, 8.5)


def test_writes_that_the_restored_store_lost_fail_the_run():
    made = run(ledger(OLD + NEW), survivors([*range(1, 12), 101, 103]))
    assert made.measured.writes is not None
    assert made.measured.writes.lost_after == 1
    assert made.outcome("integrity") == "failed"


def test_what_nobody_sent_fails_the_run():
    made = run(ledger(OLD + NEW), survivors([*range(1, 12), *NEW_IDS, 50, 999_999_999_999, -7]))
    assert made.measured.writes is not None
    assert made.measured.writes.unexpected_ids == (-7, 50, 999_999_999_999)
    assert made.outcome("integrity") == "failed"


def test_indeterminate_writes_that_landed_are_recovered_not_unexpected():
    made = run(ledger([*OLD, (12, 0.1, None, 0), (13, 0.2, None, 0), *NEW]), survivors([*range(1, 13), *NEW_IDS]))
    writes = made.measured.writes
    assert writes is not None
    assert (writes.recovered, writes.indeterminate, writes.unexpected, writes.lost) == (1, 2, 0, 0)


def test_repeated_rows_count_once():
    doubled = ledger([*OLD, *OLD[:4], *NEW])
    made = run(doubled, survivors([*range(1, 12), 1, 2, *NEW_IDS]))
    writes = made.measured.writes
    assert writes is not None
    assert (writes.acknowledged, writes.lost, writes.duplicates) == (11, 0, 2)


def test_ids_far_apart_count_the_same():
    far = [(number * 10**15, *rest) for number, *rest in OLD + NEW]
    ids = [number * 10**15 for number in [*range(1, 8), *NEW_IDS]]
    made = run(ledger(far), survivors([*ids, 10**15 + 1]))  # type: ignore[arg-type]
    writes = made.measured.writes
    assert writes is not None
    assert (writes.lost, writes.unexpected) == (4, 1)
    assert lo_hi(made.measured.rpa) == (1.6, 2.3)


def test_an_undo_before_the_reading_may_have_helped():
    def early(journal: Journal) -> None:
        read = [entry for entry in journal.entries if entry.effect is Effect.READ_BACK]
        journal.entries = [
            replace(entry, stamp=journal.at(25.0), data=entry.data | {"ended": journal.at(25.0).as_json()})
            if entry in read
            else entry
            for entry in journal.entries
        ]

    made = run(ledger(OLD + NEW), survivors([*range(1, 12), *NEW_IDS]), edit=early)
    assert "undone before" in made.measured.rpa.reason


def test_without_markers_nothing_is_measured_unless_the_drill_states_an_rpo():
    assert drill().outcome("rpo") == "not_applicable"
    assert drill(plan={"rpo": 60.0}).outcome("rpo") == "unknown"
    assert check().outcome("rpo") == "not_applicable"


def test_nothing_injected_nothing_lost_nothing_known():
    def never(journal: Journal) -> None:
        wanted = (Effect.INJECT, Effect.PROVE_EFFECT)
        journal.entries = [entry for entry in journal.entries if entry.effect not in wanted]

    made = run(ledger(OLD + NEW), survivors([*range(1, 12), *NEW_IDS]), edit=never)
    assert made.measured.rpa.reason == "fault not injected"
    assert made.measured.fault_begin is None


def _event(journal: Journal, data: dict[str, Any]) -> Any:
    return replace(journal.entries[-1], kind=Kind.EVENT, data=data)
