"""The pages of a comparison and of a period in a real Chromium, as the page of a run has its proof in `test_pages`."""

from __future__ import annotations

import pytest

import leaf_pages
from debian import needs
from exhaustive import sample

pytestmark = [needs("chromium"), pytest.mark.realtime]

PAGES = {
    "compare": lambda: leaf_pages.comparison("passed", "holes"),
    "compare-several": lambda: leaf_pages.comparison("passed", "censored", "refused", "load", "unknown"),
    "period": leaf_pages.period,
    "period-empty": leaf_pages.empty_period,
}
SAID = {"compare": "runs compared", "period": "Drills of 2026Q4"}


@pytest.mark.parametrize("name", sample(list(PAGES), 4))
def test_opens_in_peace_at_every_size(browser, tmp_path, screenshots, name):
    path = tmp_path / f"{name}.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    opened = browser.open(path, charts=False)
    assert SAID[name.split("-")[0]] in opened.page.locator("h1").inner_text()
    assert opened.page.locator("script").count() == 0
    opened.open_all()
    for scheme in ("dark", "light"):
        opened.page.emulate_media(color_scheme=scheme)
        assert opened.violations() == []
        opened.page.screenshot(path=str(screenshots / f"{name}-{scheme}.png"), full_page=True)
    opened.photograph(screenshots, name)
    opened.at_peace()
    opened.close()
