"""The drills of a period: what is counted, over how many runs, and what is never taken for good."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import report_builders as build
import report_kinds as kinds
from drillmark import periods
from drillmark.errors import UsageError
from drillmark.model.stamp import Interval
from drillmark.report.period import gathering, markdown, means, telling
from exhaustive import sample
from leaf_pages import NOW, ran

Q4 = periods.parse("2026Q4")


def day(month, number, hour=0):
    return datetime(2026, month, number, hour, tzinfo=UTC)


def gathered(runs=(), drills=(), gaps=(), *, now=NOW, period=Q4):
    return gathering.gather(period, now, runs, drills, gaps)


@pytest.mark.parametrize(
    ("text", "name", "begin", "end"),
    [
        ("2026Q4", "2026Q4", (2026, 10, 1), (2027, 1, 1)),
        ("2026q1", "2026Q1", (2026, 1, 1), (2026, 4, 1)),
        ("2026-Q2", "2026Q2", (2026, 4, 1), (2026, 7, 1)),
        ("2026", "2026", (2026, 1, 1), (2027, 1, 1)),
        ("2026H2", "2026H2", (2026, 7, 1), (2027, 1, 1)),
        ("202602", "202602", (2026, 2, 1), (2026, 3, 1)),
        ("2026-12", "202612", (2026, 12, 1), (2027, 1, 1)),
    ],
)
def test_periods_have_names(text, name, begin, end):
    assert periods.parse(text) == periods.Period(name, datetime(*begin, tzinfo=UTC), datetime(*end, tzinfo=UTC))


@pytest.mark.parametrize("text", ["", "2026Q5", "202613", "2026Q", "last", "0000", "9999", "2026Q4; rm -rf", "two"])
def test_what_is_no_period_is_told_which_there_are(text):
    with pytest.raises(UsageError) as told:
        periods.parse(text)
    assert "2026Q4" in told.value.hint


def test_runs_count_by_how_they_ended_and_one_without_a_result_is_no_pass():
    runs = [ran(day(9, 30, 23), "passed")]  # the quarter before
    runs += [
        ran(day(10, n + 1), kind)
        for n, kind in enumerate(["passed", "rto missed", "censored", "refused", "aborted", None])
    ]
    document = gathered(runs)
    assert document["counts"] == {"passed": 1, "failed": 1, "unknown": 1, "aborted": 1, "refused": 1, "no_result": 1}
    assert telling.sentences(document)[0] == (
        "6 runs in 2026Q4: 1 passed, 1 failed, 1 unknown, 1 stopped, 1 refused, 1 without a result."
    )
    assert document["runs"][-1]["verdict"] == "unknown"
    assert document["runs"][-1]["headline"] == "It was lost."


def test_an_empty_period_proves_nothing():
    document = gathered()
    assert telling.sentences(document) == [
        "No drill was run in 2026Q4: nothing is proved.",
        "How long users would wait for a recovery is not known: no run has a recovery time.",
        "No gap is open.",
        "No drill is declared in this workspace.",
    ]
    assert all(document["means"][name]["seconds"] is None for name in ("mttd", "mttr", "mtbf"))


def test_the_mean_time_to_recover_is_an_interval_and_says_over_how_many_runs():
    documents = [kinds.kind(name) for name in ("passed", "nothing lost", "refused", "fault not proved", "simulated")]
    found = means.mttr(documents, 1)
    first = documents[0]["rto"]["observed_seconds"]
    assert found.seconds == Interval(first["lo"], first["hi"])
    # Of those in which something was injected for real, and one run of which nothing is known.
    assert (found.counted, found.of) == (2, 4)
    endless = means.mttr([*documents, kinds.kind("censored")])
    assert endless.seconds is not None
    assert endless.seconds.hi is None
    assert endless.reason == "1 of them without an upper bound"


def test_the_mean_time_to_detect_is_over_runs_that_measured_it():
    assert means.mttd([kinds.kind("passed")]).seconds is None
    noticed = kinds.kind("passed")
    noticed["durations"]["time_to_detect"]["seconds"] = {"lo": 10.0, "hi": 12.0}
    silent = kinds.kind("passed")
    silent["durations"]["time_to_detect"]["seconds"] = {"lo": 30.0, "hi": None}
    assert means.mttd([noticed, kinds.kind("passed")]) == means.Mean(Interval(10.0, 12.0), 1, 2)
    assert means.mttd([noticed, silent]).seconds == Interval(20.0, None)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["passed", "rto missed", "censored", "refused"]), max_size=6), st.integers(0, 2))
def test_the_time_between_failures_has_both_bounds_by_what_may_have_failed(names, lost):
    found = means.mtbf([kinds.kind(name) for name in names], lost, 1000.0)
    failed, doubtful = names.count("rto missed"), names.count("censored") + lost
    if failed + doubtful + names.count("passed") == 0:
        assert found.seconds is None
        return
    assert found.seconds is not None
    assert found.seconds.lo == 1000.0 / max(1, failed + doubtful)
    assert found.seconds.hi == (1000.0 / failed if failed else None)


def test_time_before_the_first_run_on_record_is_not_called_time_without_a_failure():
    document = gathered([ran(day(11, 18), "passed"), ran(day(11, 20), "rto missed")])
    assert document["means"]["mtbf"]["seconds"] == {"lo": 10 * 86400.0, "hi": 10 * 86400.0}
    assert telling.mean(document["means"]["mtbf"], "mtbf") == "10 d"


def scheduled(drill="orders-db-lost", due=None, words="every quarter", unknown=""):
    return gathering.Scheduled(drill, "A title", "team", due, words, unknown)


@pytest.mark.parametrize(
    ("runs", "drill", "status", "said"),
    [
        ([], scheduled(due=day(10, 1)), "never run", "never run, due since 2026-10-01 (58 days)"),
        ([], scheduled(), "never run", "never run"),
        ([("passed", day(9, 20))], scheduled(due=day(10, 1)), "overdue", "due since 2026-10-01 (58 days)"),
        ([("passed", day(10, 2))], scheduled(due=day(10, 1)), "done", "done"),
        ([("rto missed", day(10, 2))], scheduled(due=day(10, 1)), "done", "done"),
        ([("passed", day(9, 20)), ("censored", day(10, 2))], scheduled(due=day(10, 1)), "overdue", "due since 2026-10-01 (58 days)"),
        ([("passed", day(9, 20)), ("aborted", day(10, 2))], scheduled(due=day(10, 1)), "overdue", "due since 2026-10-01 (58 days)"),
        ([("passed", day(9, 20)), ("refused", day(10, 2))], scheduled(due=day(10, 1)), "overdue", "due since 2026-10-01 (58 days)"),
        ([("censored", day(10, 2))], scheduled(due=day(10, 1)), "never run", "never run, due since 2026-10-01 (58 days)"),
        ([("passed", day(9, 20))], scheduled(words=""), "not scheduled", "not scheduled"),
        ([("passed", day(9, 20))], scheduled(unknown="no calendar"), "unknown", "whether it is due is not known: no calendar"),
    ],
)  # fmt: skip
def test_how_a_drill_stands(runs, drill, status, said):
    (row,) = gathered([ran(at, kind) for kind, at in runs], [drill])["drills"]
    assert (row["status"], telling.drill(row)) == (status, said)


def gap(opened, **changes):
    (seen,) = build.gap().occurrences
    return build.gap(occurrences=[seen.model_copy(update={"at": f"{opened:%Y-%m-%dT%H:%M:%SZ}"})], **changes)


def test_open_gaps_by_age_the_oldest_first():
    gaps = [gap(day(11, 26), id="GAP-00000001"), gap(day(6, 1), id="GAP-00000002"), gap(day(11, 10), id="GAP-00000003")]
    document = gathered(gaps=gaps)
    assert [(one["id"][-1], one["age_days"]) for one in document["gaps"]] == [("2", 180), ("3", 18), ("1", 2)]
    assert [row["count"] for row in document["gap_ages"]] == [1, 1, 0, 1]
    assert all(one["overdue"] for one in document["gaps"])
    assert (
        telling.sentences(document)[2]
        == "3 gaps are open, the oldest for 180 days; 3 are past the day on which it was due."
    )


def test_a_past_period_shows_the_gaps_that_stood_open_at_its_end():
    run = "20261115T000000Z-orders-db-lost-000000"
    gaps = [
        gap(day(6, 1), id="GAP-00000001", state="closed", closed_by=run),  # after the third quarter
        gap(day(6, 1), id="GAP-00000002", state="closed", closed_by="20260901T000000Z-orders-db-lost-000000"),
        gap(day(10, 5), id="GAP-00000003"),  # opened after it
    ]
    document = gathered(gaps=gaps, period=periods.parse("2026Q3"))
    assert [one["id"] for one in document["gaps"]] == ["GAP-00000001"]
    assert document["period"]["over"]


def test_a_gap_whose_age_nobody_knows_stands_first_and_in_a_class_of_its_own():
    (seen,) = build.gap().occurrences
    lost = build.gap(opened_by="?", occurrences=[seen.model_copy(update={"at": "?"})])
    document = gathered(gaps=[gap(day(6, 1)), lost])
    assert document["gaps"][0]["age_days"] is None
    assert document["gap_ages"][-1] == {"from_days": None, "below_days": None, "count": 1}


@pytest.mark.parametrize("name", sample(kinds.KINDS, 12))
def test_every_kind_of_result_has_its_line_and_markdown_stays_text(name):
    nasty = "<script>alert(1)</script> | [x](http://x) \x1b[2J"
    document = gathered(
        [ran(day(10, 2), name, title=nasty), ran(day(10, 3), None, reason=nasty)],
        [gathering.Scheduled(nasty, nasty, nasty, None, nasty, nasty)],
        [gap(day(11, 1), title=nasty, owner=nasty, due=nasty)],
    )
    text = markdown.render(document)
    assert "None" not in text.replace("None.", "")
    # Markdown takes back a character's meaning by a stroke before it.
    assert not re.search(r"(?<!\\)(<script|\]\(http)", text)
    assert "\x1b" not in text
    assert text.count("2026-10-02 00:00") == 1


def test_the_order_of_runs_is_by_time_and_later_ones_do_not_count():
    document = gathered([ran(day(10, 2), "passed"), ran(NOW + timedelta(days=1), "rto missed")])
    assert len(document["runs"]) == 1


def test_what_is_due_is_told_with_its_noun_whatever_comes_first():
    queue = ran(day(10, 1), "passed", drill="queue-lost")
    unknown = scheduled("queue-lost", unknown="no calendar")
    told = telling.sentences(gathered([queue], [unknown]))[-1]
    assert told == "1 drill has a schedule that cannot be told."
    told = telling.sentences(gathered([queue], [scheduled("x"), scheduled("y"), unknown]))[-1]
    assert told == "2 drills were never run, 1 has a schedule that cannot be told."
