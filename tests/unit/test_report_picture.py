"""The picture, and the same in words for whoever cannot see it: no more than the run's facts say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import page_kinds
import report_kinds
from drillmark.model.entry import Effect, Kind
from drillmark.report import headline, series
from drillmark.report.charts import picture
from drillmark.report.series import beats
from report_kinds import changed
from rig.journal import Journal
from rig.plain import ROLLBACKS, drill
from rig.service import Prober


def without_outcome(*effects: Effect):
    """The runner was killed in these, and nobody took it up."""

    def edit(journal: Journal) -> None:
        left = [e for e in journal.entries if e.effect not in effects or e.kind is not Kind.OUTCOME]
        journal.entries[:] = [replace(entry, sequence=n + 1) for n, entry in enumerate(left)]

    return edit


FAILED = [ROLLBACKS[0] | {"status": "failed", "error": "no route"}]
# What became of the undo -> the edit of the journal, and what the picture calls the fault.
UNDOS = {
    "rollback failed": (changed(Effect.UNDO, rollbacks=FAILED), "not undone cleanly"),
    "undo failed": (changed(Effect.UNDO, status="failed", error="no route", rollbacks=[]), "not undone cleanly"),
    "proof failed": (changed(Effect.PROVE_UNDONE, status="failed", error="still there"), "not undone cleanly"),
    "undo indeterminate": (changed(Effect.UNDO, status="indeterminate", rollbacks=[]), "not known to be undone"),
    "a rollback without an outcome": (changed(Effect.UNDO, rollbacks=[]), "not known to be undone"),
    "proof indeterminate": (changed(Effect.PROVE_UNDONE, status="indeterminate"), "not known to be undone"),
    "proof cut short": (without_outcome(Effect.PROVE_UNDONE), "not known to be undone"),
    "undo cut short": (without_outcome(Effect.UNDO), "not known to be undone"),
}


def described(page: str) -> str:
    return page_kinds.described(page)["picture"]


def in_place(made: series.Series) -> tuple[float, str]:
    (row,) = (row for row in made.deeds if row["kind"] == "fault")
    return row["to"], row["status"]


@pytest.mark.parametrize("name", UNDOS)
def test_after_an_undo_that_is_not_known_to_be_good_the_fault_stays_in_the_picture(name):
    edit, stands = UNDOS[name]
    document = report_kinds.of(drill(edit=edit).evidence)
    assert headline.tell(document).happened[0].startswith("Look at the system: the fault ")
    made = series.reduce(document.evidence)
    assert in_place(made) == (made.end, stands)
    page = page_kinds.of_made(document)
    assert f"fault: in place ({stands})" in page
    told = described(page)
    assert "undone at" not in told
    assert ("undo ends at +21.1 s" in told) == (name != "undo cut short")
    assert not re.search(r">undone <code>undo_end</code>", page)


def test_an_undo_that_is_proved_ends_the_fault():
    document = report_kinds.of(drill().evidence)
    made = series.reduce(document.evidence)
    assert in_place(made) == (21.1, "succeeded")
    page = page_kinds.of_made(document)
    assert "undone at +21.1 s" in described(page)
    assert ">undone <code>undo_end</code>" in page
    assert "fault: in place (" not in page


@pytest.mark.parametrize(
    ("told", "until", "stands"),
    [
        (["acting", "undone"], 21.1, "succeeded"),
        (["acting", "undo_failed"], 22.0, "not undone cleanly"),
        (["acting"], 22.0, "not known to be undone"),
    ],
)
def test_the_guards_undo_ends_the_fault_where_it_is_known_to_have_worked(told, until, stands):
    def guarded(journal: Journal) -> None:
        last = [entry for entry in journal.entries if entry.effect is Effect.STOP_OBSERVERS]
        gone = (Effect.UNDO, Effect.PROVE_UNDONE, Effect.STOP_OBSERVERS)
        journal.entries[:] = [entry for entry in journal.entries if entry.effect not in gone]
        for n, what in enumerate(told):
            journal.add(Kind.GUARD, 21.0 + n / 10, what=what)
        journal.entries[:] = [replace(e, sequence=n + 1) for n, e in enumerate([*journal.entries, *last])]

    made = series.reduce(drill(edit=guarded).evidence)
    assert in_place(made) == (until, stands)
    assert made.undone == (stands == "succeeded")


def test_a_strip_of_beats_that_is_missing_is_not_told_as_healthy():
    evidence = report_kinds.evidence_of("simulated")
    both, copy, users, neither = (
        described(page_kinds.of_made(report_kinds.of(replace(evidence, **missing), disaster=None)))
        for missing in ({}, {"beats": None}, {"side": None}, {"beats": None, "side": None})
    )
    of_users, of_copy = (
        r"; beats bad for [\d.]+ s, absent for [\d.]+ s",
        r"; beats of the copy bad for [\d.]+ s, absent",
    )
    assert re.search(of_users, both)
    assert re.search(of_copy, both)
    assert "not shown: Beats" not in both
    assert not re.search(of_users, copy)
    assert re.search(of_copy, copy)
    assert "not shown: Beats (no beats were recorded)" in copy
    assert re.search(of_users, users)
    assert not re.search(of_copy, users)
    assert "not shown: Beats of the copy (no beats were recorded)" in users
    assert " bad for " not in neither
    assert "shown: Beats," not in neither


def test_a_copy_that_never_answered_is_told_so():
    told = described(page_kinds.of_kind("simulated, never answered"))
    seconds = float(re.search(r"; beats of the copy bad for ([\d.]+) s", told)[1])
    assert seconds > 7.5  # at least as long as its RTA says


def test_the_page_does_not_say_that_no_samples_are_missing_where_there_are_none():
    document = report_kinds.of(replace(report_kinds.evidence_of("passed"), beats=None))
    assert "No samples are missing" not in page_kinds.of_made(document)
    loaded = report_kinds.kind("load")
    assert loaded["verdict"] == "passed"
    assert "No samples are missing" in page_kinds.of_kind("load")


@pytest.mark.parametrize(
    ("lost", "inside"), [((-29.0, -6.0), 2.0), ((-9.0, -6.0), 2.0), ((20.0, 40.0), 2.0), ((3.0, 5.0), 2.0)]
)
def test_an_absence_counts_as_far_as_it_is_in_the_picture(lost, inside):
    made = series.reduce(drill(prober=Prober(begin=-30.05, end=50.0, lost=[lost])).evidence)
    assert (made.begin, made.end) == (-8.0, 22.0)
    for row in [*made.beats, *made.missing]:
        assert made.begin <= row["from"] < row["to"] <= made.end
    told = picture.specification(made, {})["description"]
    assert float(re.search(r"absent for ([\d.]+) s", told)[1]) == pytest.approx(inside, abs=0.2)


def test_beats_that_alternate_too_often_are_told_by_the_bin_and_end_with_the_picture(monkeypatch):
    monkeypatch.setattr(beats, "_MOST_STRETCHES", 3)
    made = series.reduce(drill(down=[(1.0, 2.0), (3.0, 4.0)], soak_end=20.2).evidence)
    assert [row["count"] for row in made.beats if row["from"] == -7.5] == [5]
    assert made.end == 22.2
    assert max(row["to"] for row in made.beats) == made.end
