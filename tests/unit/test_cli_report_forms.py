"""`drillmark report`: Markdown with its pictures, PDF without a browser, and the report of a period."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import stored_runs
from drillmark import printing
from drillmark.cli import main


@pytest.fixture
def stored(tmp_path, monkeypatch):
    root = stored_runs.workspace(tmp_path / "ws")
    made = stored_runs.store_run(root)
    monkeypatch.chdir(root)
    return made


def report(*arguments):
    return CliRunner().invoke(main, ["report", *arguments])


def test_markdown_comes_with_its_pictures_which_stand_alone(stored):
    done = report("--format", "md")
    assert done.exit_code == 0, done.output
    text = (stored.directory / "report.md").read_text()
    named = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert named == ["report-gauges.svg", "report-picture.svg", "report-waterfall.svg"]
    for name in named:
        drawn = (stored.directory / name).read_text()
        assert drawn.startswith("<svg")
        assert "var(--" not in drawn
        assert "<script" not in drawn


def test_markdown_elsewhere_takes_its_pictures_along(stored, tmp_path):
    done = report("--format", "md", "--output", str(tmp_path / "out" / "x.md"))
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "x-gauges.svg",
        "x-picture.svg",
        "x-waterfall.svg",
        "x.md",
    ]


def test_pdf_without_chromium_is_refused_in_one_line(stored, monkeypatch):
    monkeypatch.setattr(printing, "NAMES", ("no-such-browser",))
    done = report("--format", "pdf")
    assert done.exit_code == 2
    assert "needs Chromium" in done.output
    assert not (stored.directory / "report.pdf").exists()


def test_a_pdf_is_what_the_browser_printed_of_the_page(stored, monkeypatch):
    seen = []

    def print_page(page, *, program):
        seen.append((page.read_text(), program))
        return b"%PDF-1.4 it"

    monkeypatch.setattr(printing, "browser", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(printing, "print_page", print_page)
    done = report("--format", "pdf")
    assert done.exit_code == 0, done.output
    assert (stored.directory / "report.pdf").read_bytes() == b"%PDF-1.4 it"
    ((page, program),) = seen
    assert program == "/usr/bin/chromium"
    assert page.startswith("<!DOCTYPE html>")


def test_the_report_of_a_period_as_page_markdown_and_json(stored):
    (stored.workspace / "drills").mkdir()
    (stored.workspace / "drills" / "broken.yaml").write_text("id: [")
    done = report("--quarter", "2026Q1")
    assert done.exit_code == 0, done.output
    assert "1 run in 2026Q1: 1 failed." in done.output
    page = stored.workspace / "reports" / "periods" / "2026Q1.html"
    assert stored.run in page.read_text()
    assert report("--quarter", "2026-Q1", "--format", "md").exit_code == 0
    text = page.with_suffix(".md").read_text()
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert (page.parent / picture).read_text().startswith("<svg")
    document = json.loads(report("--quarter", "2026Q1", "--json").output)
    assert document["schema"] == "drillmark.period/1"
    assert document["counts"]["failed"] == 1
    (drill,) = document["drills"]
    assert drill["status"] == "never run"
    assert "not valid" in drill["reason"]


def test_a_result_that_cannot_be_read_stands_in_the_period_as_not_known(stored):
    (stored.directory / "result.json").write_text("{")
    document = json.loads(report("--quarter", "2026Q1", "--json").output)
    assert document["counts"]["no_result"] == 1
    assert "cannot be read" in document["runs"][0]["headline"]


def test_a_run_that_the_journal_does_not_know_is_not_left_out(stored):
    (stored.workspace / ".drillmark" / "journal.sqlite3").unlink()
    document = json.loads(report("--quarter", "2026Q1", "--json").output)
    assert [(run["run"], run["drill"]) for run in document["runs"]] == [(stored.run, "orders-db-lost")]


def test_drills_are_told_due_by_their_schedules(stored, tmp_path):
    drills = stored.workspace / "drills"
    drills.mkdir()
    fields = "title: T\nowner: o\ntarget: orders-db\nfault: e.yaml\n"
    (stored.workspace / "freeze.ics").write_bytes(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
        b"DTSTART:20260331T000000Z\r\nDTEND:20260401T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    rules = {
        "a-quarterly": "{every: quarter}",
        "b-nightly": '{cron: "0 3 * * *"}',
        "c-none": "",
        "d-frozen": '{cron: "0 3 * * *", blackouts: [freeze.ics]}',
        "e-gone": '{cron: "0 3 * * *", blackouts: [gone.ics]}',
    }
    for name, rule in rules.items():
        (drills / f"{name}.yaml").write_text(f"id: {name}\n{fields}" + (f"schedule: {rule}\n" if rule else ""))
    document = json.loads(report("--quarter", "2026Q1", "--json").output)
    told = {row["drill"]: (row["status"], (row["due"] or "")[:10]) for row in document["drills"]}
    assert told == {
        "a-quarterly": ("never run", "2026-01-01"),
        "b-nightly": ("never run", "2026-03-31"),
        "c-none": ("never run", ""),
        "d-frozen": ("never run", "2026-03-30"),
        "e-gone": ("never run", ""),
    }
    assert "gone.ics" in document["drills"][-1]["reason"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--quarter", "nope"], "no period"),
        (["--quarter", "9000"], "has not begun"),
        (["--quarter", "2026Q1", "--format", "pdf"], "a period has no pdf"),
        (["last", "--quarter", "2026Q1"], "a period has no RUN"),
    ],
)
def test_what_makes_no_sense_is_refused(stored, arguments, said):
    done = report(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_a_place_that_cannot_be_written_is_named(stored):
    Path("file").write_text("x")
    for kind in ("md", "html", "json"):
        done = report("--quarter", "2026Q1", "--format", kind, "--output", "file/x")
        assert done.exit_code == 2, done.output
        assert "cannot write file/" in done.output
