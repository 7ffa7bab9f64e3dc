"""Every kind of result in a real Chromium: opened, photographed at desktop and phone size and in print; nothing is
complained of, nothing leaves the file, and axe finds no violation.
"""

from __future__ import annotations

import pytest

import page_kinds
import page_runs
from debian import needs
from drillmark.report.charts import Earlier
from exhaustive import sample

pytestmark = [needs("chromium"), pytest.mark.realtime]

EARLIER = [
    Earlier("20260101T100000Z-x-000001", "2026-01-01", "passed", {"lo": 3.0, "hi": 3.4}, {"lo": 0.0, "hi": 0.4}),
    Earlier("20260201T100000Z-x-000002", "2026-02-01", "failed", {"lo": 31.0, "hi": 35.0}, {"lo": 90.0, "hi": 120.0}),
    Earlier("20260215T100000Z-x-000003", "2026-02-15", "unknown", {"lo": 3.0, "hi": None}, None),
]
# The issue's own list; what has no load has markers, and the other way round.
KINDS = {
    "passed": "load",
    "failed": "rto missed",
    "unknown": "unknown",
    "straddling": "straddling",
    "censored": "censored",
    "aborted": "aborted",
    "refused": "refused",
    "no-recovery": "no recovery",
    "ended-by-undo": "ended by undo",
    "holes": "holes",
    "no-markers": "no markers",
    "no-load": "passed",
    "one-beat": "one beat",
    "simulated": "simulated",
    "experiment": "experiment",
}
LARGE = {"fourteen-hours": page_runs.fourteen_hours, "a-million-requests": lambda: page_runs.hour(1_000_000)}


def text_of(name: str) -> str:
    return page_kinds.of_made(LARGE[name]()) if name in LARGE else page_kinds.of_kind(KINDS[name], EARLIER)


# Always the largest; of the others a sample in every run, and all of them in an exhaustive one.
@pytest.mark.parametrize("name", [*sample(list(KINDS), 5), "a-million-requests", *sample(["fourteen-hours"], 0)])
def test_every_kind_of_result(browser, tmp_path, screenshots, name):
    path = tmp_path / f"{name}.html"
    path.write_text(text_of(name), encoding="utf-8")
    assert path.stat().st_size <= 3_000_000
    opened = browser.open(path)
    page = opened.page
    assert page.locator("section > h2").all_inner_texts() == [
        "Promised and observed", "What happened", "Where the time went", "Service level", "Gaps", "Timeline",
        "How this was measured",
    ]  # fmt: skip
    assert page.locator(".sentence").first.inner_text()
    assert opened.violations() == []
    opened.photograph(screenshots, name)
    opened.at_peace()
    opened.close()


def test_dark_has_the_same_contrast(browser, tmp_path, screenshots):
    for name in sample(["failed", "holes"], 1):
        path = tmp_path / f"{name}.html"
        path.write_text(text_of(name), encoding="utf-8")
        opened = browser.open(path, dark=True)
        opened.open_all()
        opened.page.screenshot(path=str(screenshots / f"{name}-dark.png"), full_page=True)
        assert opened.violations() == []
        opened.at_peace()
        opened.close()


def test_zoom_and_moment_move_the_whole_picture_also_by_keyboard(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(text_of("passed"), encoding="utf-8")
    opened = browser.open(path)
    page = opened.page

    def shown() -> list[str]:
        return sorted(page.locator("#chart-picture svg text").all_text_contents())

    whole = shown()
    page.get_by_role("button", name="The outage").focus()
    page.keyboard.press("Enter")
    close = shown()
    assert close != whole
    page.get_by_role("button", name="All", exact=True).click()
    assert shown() == whole
    page.locator("#moment").focus()
    page.keyboard.press("PageUp")
    said = page.locator("#readout").inner_text()
    assert all(word in said for word in ("beats", "availability", "p99", "writes survived")), said
    opened.at_peace()
    page.context.close()


FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    const seen = window.last ? window.last.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING : 4;
    window.last = one;
    return {name: one.tagName + " " + (one.textContent || one.id).trim().slice(0, 30), after: seen === 4,
            ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2};
}"""


def test_tab_leads_through_everything_in_order_and_shows_where_it_is(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(text_of("failed"), encoding="utf-8")
    opened = browser.open(path)
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)["name"] == "A Skip to the result"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    names: list[str] = []
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body || document.activeElement.matches('.skip')"):
            break
        found = page.evaluate(FOCUSED)
        assert found["ring"], found
        assert found["after"], (names[-1:], found)
        names.append(found["name"])
    for wanted in ("A Promise", "SUMMARY Why?", "BUTTON Zoom in", "INPUT moment", "BUTTON intent", "INPUT find"):
        assert any(name.startswith(wanted) for name in names), (wanted, names)
    opened.close()


def test_the_timeline_is_filtered_and_a_figure_leads_to_its_entry(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(text_of("failed"), encoding="utf-8")
    opened = browser.open(path)
    page = opened.page
    number, time, kind, what = page.eval_on_selector_all("#entry-1 > *", "cells => cells.map(one => one.offsetWidth)")
    assert what > number + time + kind
    rows = page.locator(".journal tbody tr:visible")
    every = rows.count()
    intents = page.locator(".filter button[data-kind=intent]")
    intents.focus()
    page.keyboard.press("Space")
    assert 0 < rows.count() < every
    assert intents.get_attribute("aria-pressed") == "false"
    # The formula, filled in, is one click away; so is each entry, also one that the filter hides.
    card = page.locator(".card").first
    card.locator("summary").click()
    assert "RTA = [max(0, c - b), d - a]" in card.inner_text()
    card.locator("a.entry").first.click()
    opened.until("document.querySelector('.journal tr:target details').open")
    assert page.locator(".journal tr:target").is_visible()
    page.context.close()


def test_without_scripts_every_number_is_there(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(text_of("failed"), encoding="utf-8")
    context = browser.chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    text = page.locator("body").inner_text()
    assert "Charts and filters need the scripts" in text
    assert "5.8 s (5.7 to 5.9)" in text
    context.close()


def test_the_policy_lets_nothing_out_and_no_other_script_run(browser, tmp_path):
    path = tmp_path / "page.html"
    text = text_of("failed").replace(
        "</main>", "<script>window.taken = 1</script><img src='http://127.0.0.1:9/x'></main>"
    )
    path.write_text(text, encoding="utf-8")
    opened = browser.open(path)
    assert opened.page.evaluate("window.taken") is None
    assert len([said for said in opened.complaints if "Content Security Policy" in said]) >= 2, opened.complaints
    opened.close()
