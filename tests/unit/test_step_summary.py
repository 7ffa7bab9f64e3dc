"""The summary for GitHub Actions: never greener than the verdict, and never a reason to fail."""

from __future__ import annotations

import json

import pytest

import report_builders as build
from drillmark.cli import step_summary
from drillmark.cli.run import tell_end
from drillmark.engine.start import RunEnded
from drillmark.model.verdict import Outcome
from drillmark.report import document
from drillmark.report.step_summary import render


def _document(verdict=None, gaps=()):
    chosen = verdict or build.verdict(build.judged())
    return document.build(build.plan(), build.journal(), build.measurements(), chosen, list(gaps))


def test_it_has_the_verdict_the_numbers_and_the_gaps():
    text = render(_document(build.failed_verdict(), [build.gap()]))
    assert text.startswith("### FAILED: ")
    assert "| RTA | " in text
    assert "| RPA | " in text
    assert f"- {build.gap().id}: " in text
    assert "| passed |" not in text.split("| RTA")[1].split("\n")[0]


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.FAILED])
def test_what_is_not_passed_does_not_look_so(outcome):
    text = render(_document(build.verdict(build.judged(outcome=outcome, reason="a | reason <b>"))))
    assert text.startswith(f"### {outcome.value.upper()}")
    assert "a \\| reason \\<b\\>" in text


def test_it_is_appended_and_what_goes_wrong_is_a_warning(tmp_path, monkeypatch, capsys):
    result = _document()
    (tmp_path / "result.json").write_text(json.dumps(result))
    ended = RunEnded(result["run"], tmp_path, "passed", 0)
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    monkeypatch.setenv(step_summary.VARIABLE, str(file))
    tell_end(ended, as_json=True)
    assert file.read_text() == "before\n" + render(result)
    assert json.loads(capsys.readouterr().out)["verdict"] == result["verdict"]
    for unwritable in (tmp_path, tmp_path / "nowhere" / "x"):
        monkeypatch.setenv(step_summary.VARIABLE, str(unwritable))
        tell_end(ended, as_json=True)
        told = capsys.readouterr()
        assert json.loads(told.out)["verdict"] == result["verdict"]
        assert "warning: the step summary could not be written" in told.err
    monkeypatch.delenv(step_summary.VARIABLE)
    tell_end(ended, as_json=True)
    assert capsys.readouterr().err == ""
