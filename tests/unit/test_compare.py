"""Comparing runs: a difference is called one only where the intervals are apart."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import report_kinds as kinds
import stored_runs
from drillmark.cli import main
from drillmark.model.stamp import Interval
from drillmark.report import comparing, comparison_lines, differences
from exhaustive import sample

EDGES = st.integers(0, 50).map(float)
SPANS = st.one_of(
    st.tuples(EDGES, EDGES).map(lambda pair: Interval(min(pair), max(pair))), EDGES.map(lambda lo: Interval(lo, None))
)


@given(SPANS, SPANS)
def test_a_difference_is_sure_only_where_no_value_of_the_one_is_a_value_of_the_other(first, other):
    apart = (first.hi is not None and first.hi < other.lo) or (other.hi is not None and other.hi < first.lo)
    told = differences.spans([first, other], "seconds")
    assert (told.kind == "differs") == apart
    if told.kind == "differs":
        assert ("longer" in told.said[1]) == (first.hi is not None and first.hi < other.lo)
    if told.kind == "same":
        assert first == other
        assert first.lo == first.hi


@pytest.mark.parametrize(
    ("first", "other", "unit", "kind", "said"),
    [
        (Interval(4.0, 4.2), Interval(6.3, 6.8), "seconds", "differs", "2.1 s to 2.8 s longer"),
        (Interval(6.3, 6.8), Interval(4.0, 4.2), "seconds", "differs", "2.1 s to 2.8 s shorter"),
        (Interval(4.0, 4.2), Interval(4.1, 4.4), "seconds", "within", "within the intervals"),
        (Interval(4.0, 4.2), Interval(9.0, None), "seconds", "differs", "at least 4.8 s longer"),
        (Interval(9.0, None), Interval(4.0, 4.2), "seconds", "differs", "at least 4.8 s shorter"),
        (Interval(4.0, None), Interval(9.0, None), "seconds", "unknown", "neither has an upper bound"),
        (Interval(4.0, 4.2), Interval(4.1, None), "seconds", "within", "within the intervals"),
        (Interval(1.0, 1.0), Interval(1.0, 1.0), "seconds", "same", ""),
        (Interval(0.99, 0.99), Interval(0.97, 0.97), "ratio", "differs", "2 percentage points less"),
        (None, Interval(1.0, 2.0), "seconds", "unknown", "not known"),
        (None, None, "seconds", "unknown", ""),
    ],
)
def test_how_one_stands_to_the_other(first, other, unit, kind, said):
    told = differences.spans([first, other], unit)
    assert (told.kind, told.said) == (kind, ("", said))


def test_counts_are_exact_and_a_missing_one_is_not_equal():
    assert differences.counts([3, 5, 1]).said == ("", "2 more", "2 fewer")
    assert differences.counts([3, 3]).kind == "same"
    assert differences.counts([3, None]).kind == "unknown"


def rows(*names):
    made = comparing.compare([kinds.kind(name) for name in names])
    return made, {row["name"]: row for row in made["rows"]}


def test_a_run_against_itself_has_no_difference():
    made, found = rows("passed", "passed")
    assert {row["kind"] for row in made["rows"]} <= {"same", "within", "reported"}
    assert found["RTA"]["said"] == ["", "within the intervals"]
    assert made["notes"] == []


def test_differences_come_first_each_kind_in_the_order_of_a_report():
    made, found = rows("passed", "censored")
    order = list(comparing.KINDS)
    places = [order.index(row["kind"]) for row in made["rows"]]
    assert places == sorted(places)
    sections = list(comparing.SECTIONS)
    for kind in order:
        inside = [sections.index(row["section"]) for row in made["rows"] if row["kind"] == kind]
        assert inside == sorted(inside)
    assert found["verdict"]["shown"] == ["PASSED", "UNKNOWN"]
    assert found["RTA"]["said"][1] == "at least 13.7 s longer"
    assert found["work after the recovery (WRT)"]["kind"] == "unknown"
    (summary,) = made["summary"]
    assert summary.startswith(
        "B against A: the verdict is unknown, not passed; the recovery time is at least 13.7 s longer; "
    )
    assert summary.endswith("; the data loss differs within the intervals, if at all.")


def test_what_is_missing_on_one_side_is_never_the_same():
    _, found = rows("passed", "no markers")
    assert found["RPA"]["kind"] == "unknown"
    assert found["lost writes"]["kind"] == "unknown"
    made, _ = rows("refused", "refused")
    assert made["summary"] == [
        "B against A: the recovery time is not known of either; the data loss is not known of either."
    ]


def test_runs_of_different_things_are_said_to_be():
    other = kinds.kind("passed") | {"drill": "another\x1b[2J", "environment": "production"}
    notes = comparing.compare([kinds.kind("passed"), other])["notes"]
    assert notes[0] == "these are different drills: orders-db-lost, another\N{REPLACEMENT CHARACTER}[2J"
    assert notes[1] == "these are different environments: lab, production"


@pytest.mark.parametrize("name", sample(kinds.KINDS, 12))
def test_every_kind_can_be_compared_with_every_other(name):
    documents = [kinds.kind("passed"), kinds.kind(name), kinds.kind("experiment")]
    for chosen in (documents[:2], documents):
        text = "\n".join(line for line, _ in comparison_lines.lines(comparing.compare(chosen), everything=True))
        assert "None" not in text
        assert comparing.KINDS["same"] in text


def run(*arguments):
    return CliRunner().invoke(main, ["compare", *arguments])


def test_the_command(tmp_path, monkeypatch):
    root = stored_runs.workspace(tmp_path)
    first = stored_runs.store_run(root)
    second = stored_runs.store_run(root, stored_runs.renamed(first.run, 1), rto_seconds=600.0)
    monkeypatch.chdir(root)
    done = run(first.run, second.run)
    assert done.exit_code == 0
    assert "what differs" in done.output
    assert "FAILED" in done.output
    made = json.loads(run("--json", first.run, second.run).output)
    assert made["schema"] == "drillmark.comparison/1"
    assert [one["letter"] for one in made["runs"]] == ["A", "B"]


def test_one_run_twice_the_same_and_one_without_a_result_are_refused(tmp_path, monkeypatch):
    root = stored_runs.workspace(tmp_path)
    first = stored_runs.store_run(root)
    second = stored_runs.store_run(root, stored_runs.renamed(first.run, 1), finished=False)
    monkeypatch.chdir(root)
    for arguments, said in (
        ([first.run], "1 runs to compare"),
        ([first.run, "reports/runs/" + first.run], "is the same run"),
        ([first.run, second.run], "has no result yet"),
        ([first.run, "nope"], "nope"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2, done.output
        assert said in done.output
