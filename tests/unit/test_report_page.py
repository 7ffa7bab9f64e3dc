"""The page of a run: what stands on it, that nothing of others' is markup, that a fault of its own costs no run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

import page_kinds
import page_runs
import report_kinds
import stored_runs
from drillmark import pages, samples
from drillmark.cli import main
from drillmark.report import markdown, sentences, series, where
from drillmark.report.page import method, plain
from exhaustive import sample
from rig.journal import ORIGIN_NS, cut
from rig.plain import drill, steady_load

HOSTILE = "</script><script>alert(1)</script><b onclick='x'>\x1b[31m\u202e"


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.mark.parametrize("name", sample(report_kinds.KINDS, 12))
def test_every_kind_has_all_sections_and_nothing_to_fetch(name):
    text = page_kinds.of_kind(name)
    ids = re.findall(r'<section id="([a-z]+)"', text)
    assert ids == ["result", "gauges", "picture", "time", "slo", "gaps", "timeline", "method"]
    tags = Tags(text)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(tags.tags)
    assert not {"src", "style", "onclick", "onerror"} & set(tags.attributes)
    specs = json.loads(re.search(r'id="specs">(.*?)</script>', text)[1])
    assert ("gauges" in specs) == (report_kinds.kind(name)["mode"] != "experiment")
    for number in re.findall(r'href="#(entry-\d+)"', text):
        assert f'id="{number}"' in text, f"{number} is cited, and is not on the page"


@pytest.mark.parametrize(
    ("name", "begins", "never"),
    [
        ("simulated", "the disaster was declared", "the fault began"),
        ("passed", "the fault began", "the disaster was declared"),
    ],
)
def test_seconds_count_from_what_happened_at_their_beginning(name, begins, never):
    document = report_kinds.kind(name)
    page, lines = page_kinds.of_kind(name), "\n".join(text for text, _ in sentences.summary(document))
    text = markdown.render(document, Path("reports/templates/report.md.j2").read_text())
    (caption,) = re.findall(r"<caption>(Stamps, .*?)</caption>", page)
    assert caption == f"Stamps, in seconds since {begins}"
    assert f"seconds count from when {begins}" in page
    specs = json.loads(re.search(r'id="specs">(.*?)</script>', page)[1])
    titles = {axis["title"] for axis in specs["waterfall"]["axes"]}
    assert titles == {f"time since {begins}"}
    assert f"seconds since {begins}, how long" in lines
    assert f"Seconds since {begins} (I)." in text
    assert f"| `I` | {begins} |" in text
    assert not [said for said in (page, lines, text) if f"since {never}" in said]


def test_paper_names_the_entries_that_closed_answers_would():
    page = page_kinds.of_kind("passed")
    closed = re.findall(r'</details>\s*<span class="on-paper">(.*?)</span>', page)
    assert len(closed) == page.count('<details class="why">') > 3
    assert any(re.fullmatch(r"journal \d+(, \d+)*", text) for text in closed)
    assert all(closed)


def test_what_others_wrote_is_text_and_is_cut():
    text = page_kinds.hostile(HOSTILE)
    assert text.count("<script") == 4
    assert "<b onclick" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 3_000_000
    assert "more characters stand in journal.jsonl" in text


def test_the_quick_page_of_an_experiment_is_as_safe():
    document = report_kinds.kind("experiment") | {"title": HOSTILE, "source": HOSTILE}
    text = plain.render(document, report_kinds.evidence_of("experiment").entries, ":root {}")
    assert "script" not in Tags(text).tags
    assert "\x1b" not in text


def test_samples_that_are_missing_are_told_and_no_line_crosses_them():
    made = series.reduce(report_kinds.evidence_of("unknown"))
    absent = [row for row in made.beats if row["state"] == "absent"]
    assert absent
    assert absent[-1]["to"] >= made.end - 1
    inside = [row for row in made.availability if absent[-1]["from"] + 1 < row["t"] < absent[-1]["to"] - 1]
    assert inside
    assert {row["v"] for row in inside} == {None}


def test_a_load_of_which_no_request_ended_did_nothing_and_is_silent_where_it_did_not_report():
    requests, users = steady_load()
    nothing, begin = (
        replace(cut(requests, 0), torn=False, closed=True),
        replace(cut(users, 20), torn=False, closed=True),
    )
    made = series.reduce(drill(load=(nothing, begin)).evidence)
    alive = [row for row in made.load if row["ok"] is not None]
    assert alive
    assert {(row["ok"], row["errors"], row["p50"]) for row in alive} == {(0, 0, None)}
    silent = [row for row in made.missing if row["panel"] == "throughput"]
    assert silent
    assert all(row["t"] < silent[-1]["from"] for row in alive)


@pytest.mark.parametrize("name", ["passed", "holes", "split brain", "everything lost"])
def test_writes_are_counted_as_the_result_counts_them(name):
    evidence, writes = report_kinds.evidence_of(name), report_kinds.kind(name)["writes"]
    made = series.reduce(evidence)
    charted = {fate: sum(row[fate] for row in made.writes) for fate in ("survived", "lost", "holes")}
    ledger = evidence.written[""].ledger
    acked = (ledger["at_ns"][ledger["kind"] == samples.LedgerKind.ACKNOWLEDGED] - ORIGIN_NS) / 1e9
    # Where nothing came back, what was acknowledged before the picture begins is lost, too, and not on it.
    before = int((acked < made.begin).sum()) if name == "everything lost" else 0
    assert before < writes["lost"]
    assert charted["lost"] + charted["holes"] == writes["lost"] - before
    assert charted["holes"] == writes["holes"] + writes["lost_updates"] + writes["resurrected"]
    assert sum(charted.values()) == int(((acked >= made.begin) & (acked < made.end)).sum())


def test_a_million_requests_have_no_more_points_than_a_thousand():
    few, many = (series.reduce(page_runs.hour(count).evidence) for count in (1_000, 200_000))
    assert len(few.load) == len(many.load) <= 900
    busy = [row for row in many.load if row["ok"]]
    assert all(row["p50"] <= row["p95"] <= row["p99"] for row in busy if row["p99"] is not None)


def test_where_the_time_went_names_the_longest_part():
    bars = where.bars(dict(page_runs.hour(40_000)))
    assert {bar.kind for bar in bars} >= {"start", "copy", "replay", "serve", "verify"}
    most = where.longest(bars)
    assert most is not None
    assert most.kind in where.ADVICE


@pytest.mark.parametrize(("name", "loaded"), [("load", True), ("passed", False)])
def test_a_load_is_told_of_where_there_was_one(name, loaded):
    text = page_kinds.of_kind(name)
    assert ("The load waits for answers" in text, '<th scope="row">Requests</th>' in text) == (loaded, loaded)


def test_a_configuration_shows_no_secret():
    shown = method.redacted(
        {"password": "hunter2", "secrets": "orders-db", "url": "http://me:hunter2@db/x", "in": [{"api_key": "hunter2"}]}
    )
    assert "hunter2" not in json.dumps(shown)
    assert shown["secrets"] == "orders-db"


def test_report_writes_the_page_into_the_run(tmp_path, monkeypatch):
    root = stored_runs.workspace(tmp_path)
    made = stored_runs.store_run(root)
    monkeypatch.chdir(root)
    done = CliRunner().invoke(main, ["report", "last"])
    assert done.exit_code == 0, done.output
    assert '<h2 id="gauges-title">' in (made.directory / "report.html").read_text(encoding="utf-8")
    assert json.loads(CliRunner().invoke(main, ["report", "--format", "json"]).output)["run"] == made.run
    picture = CliRunner().invoke(main, ["report", "--format", "png", "--output", str(tmp_path / "x.png")])
    assert picture.exit_code == 0, picture.output
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_a_workspace_brands_its_page_and_a_wrong_template_costs_only_its_looks(tmp_path):
    root = stored_runs.workspace(tmp_path)
    made = stored_runs.store_run(root)
    templates = root / "reports" / "templates"
    templates.mkdir(parents=True)
    (templates / "brand.css").write_text(":root { --accent: #6b2fa0; }")
    own = templates / "report.html.j2"
    own.write_text('{% extends "drillmark/report.html.j2" %}{% block brand %}<p>Example Ltd</p>{% endblock %}')
    from drillmark import runs
    from drillmark.report import files

    entries, result = runs.read_exported(made.directory), files.read(made.directory)
    text = pages.text(made.directory, entries, result)
    assert "<p>Example Ltd</p>" in text
    assert "--accent: #6b2fa0" in text
    own.write_text("{{ nobody.knows }}")
    text = pages.text(made.directory, entries, files.read(made.directory))
    assert "report.html.j2 was not used" in text


def test_a_page_that_cannot_be_written_is_told_and_raises_nothing(tmp_path):
    root = stored_runs.workspace(tmp_path)
    made = stored_runs.store_run(root)
    from drillmark import runs

    entries = runs.read_exported(made.directory)
    (made.directory / "report.html").mkdir()
    assert pages.write_after_run(made.directory, entries) != ""
