"""What others wrote stays text and inside the paper, on every page: script in a title, a probe's page of HTML, a log line
of a megabyte, writing from right to left, emoji, a name of two hundred characters without a space.
"""

from __future__ import annotations

import pytest

import leaf_pages
import page_kinds
from debian import needs

pytestmark = [needs("chromium"), pytest.mark.realtime]

STRANGE = (
    "\N{FIRE} قاعدة البيانات ضاعت </script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
    f"<h1>502 Bad Gateway</h1> {'n' * 200}"
)
# The page, and how many scripts it has: the charts' definitions, two libraries, the page's own.
PAGES = {
    "run": (page_kinds.hostile, 4),
    "compare": (leaf_pages.hostile_comparison, 0),
    "period": (leaf_pages.hostile_period, 0),
}


@pytest.mark.parametrize("name", PAGES)
def test_what_others_wrote_stays_text(browser, tmp_path, screenshots, name):
    make, scripts = PAGES[name]
    path = tmp_path / f"{name}.html"
    path.write_text(make(STRANGE), encoding="utf-8")
    assert path.stat().st_size <= 3_000_000
    opened = browser.open(path, charts=name == "run")
    page = opened.page
    assert page.title() != "taken"
    assert page.locator("img").count() == 0
    assert page.locator("h1").count() == 1
    assert page.locator("script").count() == scripts
    assert STRANGE in page.locator("main").inner_text()
    if name == "run":
        assert "more characters stand in journal.jsonl" in page.locator(".journal").inner_html()
    assert opened.violations() == []
    opened.photograph(screenshots, f"strange-{name}")
    opened.at_peace()
    opened.close()
