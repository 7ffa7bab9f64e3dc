"""The pages of a period and of a comparison: whole, harmless, and without a script."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

import report_builders as build
import report_kinds as kinds
from drillmark import looks, period_runs, periods
from drillmark.errors import UsageError
from drillmark.report import comparing, leaves
from drillmark.report.period import gathering
from exhaustive import sample
from leaf_pages import NOW, ran

NASTY = "<script>alert(1)</script><img src=x onerror=alert(1)> \"' {{ 7 * 191 }} \x1b[2J \u202e"
VOID = {"meta", "link", "img", "br", "hr", "input"}
DRAWN_VOID = {"line", "path", "circle", "rect"}


class Page(HTMLParser):
    """Elements and texts of a page; what is opened must be closed."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.seen, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def a_period(*kind_names, **changes):
    runs = [
        ran(datetime(2026, 10, number + 1, tzinfo=UTC), kind, reason=NASTY, **changes)
        for number, kind in enumerate([*kind_names, None])
    ]
    drills = [gathering.Scheduled(NASTY, NASTY, NASTY, datetime(2026, 10, 1, tzinfo=UTC), NASTY, NASTY)]
    return gathering.gather(
        periods.parse("2026Q4"), NOW, runs, drills, [build.gap(title=NASTY, owner=NASTY, due=NASTY)]
    )


def whole_and_harmless(text):
    page = Page(text)
    assert page.stack == []
    tags = [tag for tag, _ in page.seen]
    assert "script" not in tags
    assert "img" not in tags
    assert not [name for _, attrs in page.seen for name in attrs if name.startswith("on")]
    assert not [
        attrs
        for _, attrs in page.seen
        if any((value or "").startswith("http") for value in attrs.values() if value != "http://www.w3.org/2000/svg")
    ]
    (policy,) = [attrs["content"] for tag, attrs in page.seen if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    ids = [attrs["id"] for _, attrs in page.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "1337" not in text
    return page


@pytest.mark.parametrize("name", sample(kinds.KINDS, 10))
def test_a_period_with_any_kind_of_result_is_a_whole_page(name):
    text = looks.period(a_period(name, title=NASTY, reasons=[NASTY], target=NASTY), None)
    page = whole_and_harmless(text)
    assert "None" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert any("alert(1)" in text for text in page.texts)


def test_a_comparison_is_a_whole_page_that_begins_with_the_differences():
    first, other = kinds.kind("passed"), kinds.kind("holes") | {"title": NASTY, "target": NASTY, "reasons": [NASTY]}
    text = looks.comparison(comparing.compare([first, other]), None)
    whole_and_harmless(text)
    assert text.index('id="differs"') < text.index('id="within"') < text.index('id="same"')
    several = looks.comparison(comparing.compare([first, other, kinds.kind("censored")]), None)
    whole_and_harmless(several)
    assert "at least 13.7 s longer" in several


def test_trends_show_every_run_and_what_is_not_known():
    text = looks.period(a_period("passed", "rto missed", "censored", "fault not proved"), None)
    assert text.count("<svg ") == 2
    assert text.count("<title>2026") == 8
    assert "objective 4 h" in text
    assert ">?</text>" in text


def test_pictures_beside_the_markdown_stand_alone():
    for picture in period_runs.pictures(a_period("passed", "censored")):
        assert re.fullmatch(r"2026Q4-[a-z0-9-]+-(rta|rpa)\.svg", picture.name)
        assert "var(--" not in picture.svg
        page = Page(picture.svg)
        assert page.stack == []


def test_a_workspace_may_bring_its_own_and_a_wrong_one_costs_only_its_looks(tmp_path):
    own = tmp_path / "templates"
    own.mkdir()
    (own / "brand.css").write_text(":root { --accent: #123456; }")
    (own / "period.html.j2").write_text(
        '{% extends "drillmark/period.html.j2" %}{% block brand %}Example Ltd{% endblock %}'
    )
    text = looks.period(a_period("passed"), tmp_path)
    assert "Example Ltd" in text
    assert "#123456" in text
    (own / "period.html.j2").write_text("{% for %}")
    assert "Drillmark</p>" in looks.period(a_period("passed"), tmp_path)
    with pytest.raises(UsageError, match=r"period\.html\.j2"):
        leaves.period(a_period("passed"), looks.texts(tmp_path))
