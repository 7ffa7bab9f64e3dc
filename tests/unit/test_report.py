"""The result document, the report and junit.xml: whole, true to what was measured, harmless."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

import report_builders as build
from drillmark.errors import UsageError
from drillmark.journal.entries import concluded
from drillmark.model.entry import Effect, Kind
from drillmark.model.measurement import Measured
from drillmark.model.stamp import Interval
from drillmark.model.verdict import Outcome, Verdict
from drillmark.report import document, files, junit, markdown, sentences, step_summary, words

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schemas/result.json").read_text())
TEMPLATE = (ROOT / "reports/templates/report.md.j2").read_text()
NASTY = "\x1b[2J\x00\x07 <script>alert(1)</script> | ](http://x) \u202e \ud800 ```\n# not a heading"


def document_of(verdict=None, **changes):
    fields = {
        "plan": build.plan(),
        "entries": build.journal(),
        "measurements": build.measurements(),
        "gaps": [build.gap()],
    }
    fields |= changes
    return document.build(
        fields["plan"], fields["entries"], fields["measurements"], verdict or build.verdict(), fields["gaps"]
    )


VERDICTS = {
    "passed": build.verdict(),
    "failed": build.failed_verdict(),
    "aborted": build.verdict(aborted=True),
    "refused": Verdict(Outcome.UNKNOWN, ("target orders-db is busy",), (), refused=True),
    "empty": Verdict(Outcome.UNKNOWN, (), ()),
}


@pytest.mark.parametrize("verdict", VERDICTS.values(), ids=VERDICTS)
def test_every_result_is_valid_by_its_schema(verdict):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document_of(verdict), SCHEMA)
    bare = document.build(
        build.plan(), [], build.measurements(fault_begin=None, writes=None, slo={}, durations={}), verdict
    )
    jsonschema.validate(json.loads(files.to_json(bare)), SCHEMA)


def test_the_top_level_is_as_promised():
    result = document_of()
    assert result["schema"] == "drillmark.result/1"
    assert (result["run"], result["drill"], result["verdict"]) == (build.RUN, "orders-db-lost", "passed")
    assert result["rto"]["objective_seconds"] == 14400.0
    assert result["rto"]["observed_seconds"] == {"lo": 127.31, "hi": 127.49}
    assert (result["rto"]["verdict"], result["rto"]["reason"]) == ("passed", "")
    assert result["rpo"]["observed_seconds"] == {"lo": 0.0, "hi": 0.21}
    assert {key: result["writes"][key] for key in ("acknowledged", "lost", "holes", "unexpected", "indeterminate")} == {
        "acknowledged": 4012,
        "lost": 0,
        "holes": 0,
        "unexpected": 0,
        "indeterminate": 8,
    }
    assert result["stamps"]["t_detect"] is None
    assert result["evidence"]["samples"][0]["sha256"] == "cd" * 32


def test_what_comes_after_the_conclusion_changes_nothing():
    entries = build.journal()
    conclude = next(n for n, entry in enumerate(entries) if entry.effect == "conclude")
    assert document_of(entries=entries) == document_of(entries=entries[:conclude]) == document_of(entries=entries[:-1])


def test_a_crash_while_concluding_counts_what_came_before_the_last_conclusion():
    made = build.Journal()
    made.entries = [entry for entry in build.journal() if entry.kind != "run_ended"][:-1]
    cut = len(made.entries) - 1
    made.add(240.0, Kind.RESUMED, epoch=2)
    known = [*made.entries[:cut], made.entries[-1]]
    made.did(Effect.CONCLUDE, 241.0, 242.0)
    made.add(243.0, Kind.RESUMED, epoch=3)
    assert concluded(made.entries) == known
    assert concluded(known) == known


def test_an_unbounded_interval_is_null_and_never_a_number():
    endless = Measured(Interval(127.0, None), "no hold window")
    judged = build.judged("rto", Outcome.FAILED, observed=endless.seconds, reason="not restored")
    result = document_of(build.verdict(judged), measurements=build.measurements(durations={"rta": endless}))
    assert result["rto"]["observed_seconds"] == {"lo": 127.0, "hi": None}
    shown = "\n".join(text for text, _ in sentences.summary(result))
    assert "127.0 s or more" in shown


def test_an_objective_that_was_not_judged_is_not_applicable_and_no_pass():
    result = document_of(build.verdict(build.judged("rto")))
    assert result["rpo"]["verdict"] == "not_applicable"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (build.verdict(), 0),
        (build.failed_verdict(), 1),
        (build.verdict(build.judged("rto", Outcome.UNKNOWN, reason="x")), 4),
        (Verdict(Outcome.NOT_APPLICABLE, (), ()), 4),
        (build.verdict(build.judged("undo", Outcome.FAILED), aborted=True), 3),
        (VERDICTS["refused"], 3),
    ],
)
def test_exit_codes(verdict, expected):
    assert document.exit_code(verdict) == expected
    assert document_of(verdict)["exit_code"] == expected


def test_where_the_time_went_has_the_steps_and_the_restores_parts_in_order():
    steps = document_of()["timeline"]
    assert [step["name"] for step in steps] == [
        "inject the fault",
        "users without good service",
        "prove its effect",
        "fence",
        "restore-latest",
        "switch-over",
        "until the service was good again",
        "verify: rows-match-orders",
        "undo the fault",
    ]
    parts = steps[4]["parts"]
    assert [(part["name"], part["from_seconds"], part["to_seconds"]) for part in parts] == [
        ("verify the backup", 4.0, 7.0),
        ("copy the backup", 7.0, 47.0),
        ("replay the log", 47.0, 110.0),
    ]


@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [
        (127.31, 127.49, "127.4 s (127.3 to 127.5)"),
        (127.3, 127.5, "127.4 s (127.3 to 127.5)"),
        (0.0, 0.21, "0.1 s (0.0 to 0.3)"),
        (0.0, 0.02, "0.01 s (0.00 to 0.02)"),
        (0.0, 0.0, "0 s"),
        (12.0, None, "12.0 s or more (no upper bound)"),
        (0.0, None, "anything (no upper bound)"),
        (7200.0, 7200.4, "2 h (7200.0 to 7200.4 s)"),
    ],
)
def test_intervals_read_well_and_are_rounded_outwards(lo, hi, expected):
    assert words.interval(Interval(lo, hi)) == expected


def test_a_printed_interval_contains_the_truth():
    for number in range(2000):
        lo, hi = number * 0.0137, number * 0.0137 + (number % 7) * 0.031
        found = re.search(r"\(([\d.]+) to ([\d.]+)", words.interval(Interval(lo, hi)))
        if found:
            assert float(found[1]) <= lo + 1e-6
            assert float(found[2]) >= hi - 1e-6


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.0042, "4.2 ms"),
        (0.25, "250 ms"),
        (12.53, "12.5 s"),
        (14400, "4 h"),
        (5400, "1 h 30 min"),
        (125, "2 min 5 s"),
        (604800, "7 d"),
    ],
)
def test_durations_read_well(seconds, expected):
    assert words.duration(seconds) == expected


def test_the_report_says_it_in_the_first_sentence_and_has_every_part():
    text = markdown.render(document_of(build.failed_verdict()), TEMPLATE)
    lines = text.splitlines()
    assert lines[0].startswith("# FAILED: The orders database is lost")
    assert lines[2].startswith("The fault struck orders-db at 10:00:40 UTC; users were served again 127.4 s later")
    assert lines[4].startswith("Next: GAP")
    for part in ("127.4 s (127.3 to 127.5)", "## Stamps", "## Gaps", "## Evidence", "GAP-1a2b3c4d", "cd" * 32):
        assert part in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize("verdict", VERDICTS.values(), ids=VERDICTS)
def test_every_kind_of_result_renders(verdict):
    result = document_of(verdict)
    assert markdown.render(result, TEMPLATE).startswith(f"# {sentences.verdict_words(result)}")
    ET.fromstring(junit.render(result))
    assert sentences.summary(result)


def nasty_document():
    judged = build.judged("rto", Outcome.FAILED, reason=NASTY)
    return document_of(
        build.verdict(judged, reasons=(NASTY,)),
        plan=build.plan(title=NASTY, owner=NASTY),
        gaps=[build.gap(title=NASTY, recommendation=NASTY)],
    )


def test_texts_of_a_drill_make_no_markup_and_move_no_terminal():
    text = markdown.render(nasty_document(), TEMPLATE)
    assert "<script>" not in text
    assert re.search(r"(?<!\\)\]\(", text) is None
    assert "\n# not a heading" not in text
    summary = "\n".join(line for line, _ in sentences.summary(nasty_document()))
    for shown in (text, summary):
        assert not any((ord(sign) < 32 and sign != "\n") or sign in "\x7f\u202e\ud800" for sign in shown)


def test_junit_has_a_case_for_each_objective_and_no_unknown_is_green():
    suites = ET.fromstring(junit.render(document_of(build.failed_verdict())))
    (suite,) = suites
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    assert set(cases) == {"rto", "rpo", "time_to_detect", "slo.availability", "undo"}
    assert cases["rto"].find("failure").get("message").startswith("RTO missed")
    assert cases["rpo"].find("error") is not None
    assert cases["time_to_detect"].find("skipped") is not None
    assert len(cases["undo"]) == 0
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "2",
        "errors": "1",
        "skipped": "1",
    }
    assert all(
        case.get("classname") == "drillmark.orders-db-lost" and float(case.get("time")) >= 0 for case in cases.values()
    )


@pytest.mark.parametrize("name", ["aborted", "refused", "empty"])
def test_junit_is_red_whenever_the_run_is_not_passed(name):
    verdict = VERDICTS[name]
    if name == "aborted":
        verdict = Verdict(Outcome.UNKNOWN, ("aborted by a person",), verdict.judged, aborted=True)
    (suite,) = ET.fromstring(junit.render(document_of(verdict)))
    assert int(suite.get("failures")) + int(suite.get("errors")) == 1
    assert int(suite.get("tests")) == len(suite.findall("testcase"))


def test_junit_stands_control_characters():
    text = junit.render(nasty_document())
    assert "alert(1)" in ET.fromstring(text.encode("utf-8")).find(".//failure").get("message")


def write(run_dir, **changes):
    fields = {"plan": build.plan(), "entries": build.journal(), "measurements": build.measurements()}
    fields |= changes
    files.write(run_dir, fields["plan"], fields["entries"], fields["measurements"], build.verdict(), [])


def test_files_are_written_whole_private_and_the_same_twice(tmp_path):
    run_dir = tmp_path / "reports/runs" / build.RUN
    run_dir.mkdir(parents=True)
    write(run_dir)
    first = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    assert set(first) == {"result.json", "report.md", "junit.xml"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in run_dir.iterdir()} == {0o600}
    write(run_dir)
    assert first == {path.name: path.read_bytes() for path in run_dir.iterdir()}
    assert files.read(run_dir) == document_of(gaps=[])


def test_a_workspace_may_bring_its_own_template_and_a_wrong_one_costs_only_its_looks(tmp_path):
    run_dir = tmp_path / "reports/runs" / build.RUN
    run_dir.mkdir(parents=True)
    own = tmp_path / "reports/templates/report.md.j2"
    own.parent.mkdir()
    own.write_text("{{ r.run }} {{ r.rto.observed_seconds | interval }}")
    write(run_dir)
    assert (run_dir / "report.md").read_text() == f"{build.RUN} 127.4 s (127.3 to 127.5)\n"
    for wrong in ("one\n{{ r.run | nope }}", "{{ r.nope }}", "{% for %}", "{{ ''.__class__.__mro__ }}", "\x00{{"):
        own.write_text(wrong)
        write(run_dir)
        text = (run_dir / "report.md").read_text()
        assert text.startswith("# PASSED")
        assert "report.md.j2 was not used: the report template is wrong" in text


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "drillmark.result/9"}'])
def test_a_damaged_result_is_an_error_and_an_absent_one_is_none(tmp_path, text):
    assert files.read(tmp_path) is None
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(UsageError):
        files.read(tmp_path)


def test_the_summary_says_verdict_numbers_time_and_what_next():
    text = "\n".join(
        line for line, _ in sentences.summary(document_of(build.failed_verdict()), report="reports/runs/x/report.md")
    )
    for part in (
        "FAILED",
        "RTA     127.4 s",
        "objective 60 s: failed",
        "restore-latest",
        "GAP-1a2b3c4d",
        "reports/runs/x/report.md",
        "next    GAP",
    ):
        assert part in text
    failed_undo = document_of(build.verdict(build.judged("undo", Outcome.FAILED, reason="rollback failed")))
    assert "by hand now" in sentences.next_step(failed_undo)


def test_an_observed_level_is_told_with_its_phase_wherever_it_stands_alone():
    fields = {"objective": 0.01, "observed": Interval(0.009, 0.009), "unit": "ratio", "phase": "hold"}
    result = document_of(build.verdict(build.judged("slo.error_rate", **fields)))
    jsonschema.validate(result, SCHEMA)
    assert [item["phase"] for item in result["objectives"]] == ["hold"]
    told = "\n".join(line for line, _ in sentences.summary(result))
    assert "error rate: passed, 0.9 % in hold against 1 %" in told
    assert "0.9 % in hold" in markdown.render(result, TEMPLATE)
    assert "| error rate | 0.9 % in hold | 1 % |" in step_summary.render(result)
    failed = document_of(build.verdict(build.judged("slo.error_rate", Outcome.FAILED, **fields)))
    assert "observed: 0.9 % in hold" in junit.render(failed)


def test_the_headline_of_a_pass_gives_both_numbers():
    text = sentences.headline(document_of())
    assert "127.4 s later (127.3 to 127.5)" in text
    assert "Not one of 4,012 acknowledged writes was lost" in text
