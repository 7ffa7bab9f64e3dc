"""A real Chromium of the system, opened once. Playwright's own download is off: only its driver is used."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

OPEN_SECONDS = 180
AXE = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
# What stands beside the paper, for a test that fails.
BESIDE = """[...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map((one) => one.outerHTML.slice(0, 120))"""
FITS = "document.documentElement.scrollWidth <= innerWidth"
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"


@dataclass
class Opened:
    """A page in the browser, and everything that it complained of or asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def at_peace(self) -> None:
        assert self.complaints == []
        assert self.requests == []

    def violations(self) -> list[str]:
        """What axe finds, of WCAG 2.2 AA and its best practices."""
        self.page.evaluate(_axe())  # through the debugger: the page's own policy would not let it in
        found = self.page.evaluate(AXE)["violations"]
        return [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:4]]}" for one in found]

    def photograph(self, folder: Path, name: str) -> None:
        """The whole page at desktop and phone size and in print, and no part of it beside the paper."""
        page = self.page
        self.until(FITS)
        page.screenshot(path=str(folder / f"{name}-desktop.png"), full_page=True)
        page.set_viewport_size({"width": 390, "height": 844})
        self.until(FITS)
        page.screenshot(path=str(folder / f"{name}-phone.png"), full_page=True)
        page.emulate_media(media="print", color_scheme="dark")
        page.set_viewport_size({"width": 720, "height": 1000})
        self.until(FITS)
        page.screenshot(path=str(folder / f"{name}-print.png"), full_page=True)

    def until(self, expression: str) -> None:
        """Wait until that holds. The driver's own waiting needs `eval`, which the page's policy forbids."""
        deadline = time.monotonic() + OPEN_SECONDS
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, (expression, self.page.evaluate(BESIDE), self.complaints)
            time.sleep(0.05)

    def open_all(self) -> None:
        """Unfold whatever is folded."""
        self.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")

    def close(self) -> None:
        self.page.context.close()


@cache
def _axe() -> str:
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


class Browser:
    def __init__(self, chromium: Any) -> None:
        self.chromium = chromium

    def open(
        self, path: Path, *, dark: bool = False, width: int = 1280, height: int = 900, charts: bool = True
    ) -> Opened:
        """Open a file, and wait until its charts are drawn."""
        scheme = "dark" if dark else "light"
        context = self.chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        made = Opened(context.new_page())
        made.page.set_default_timeout(OPEN_SECONDS * 1000)
        made.page.on("console", lambda said: made.complaints.append(f"{said.type}: {said.text}"))
        made.page.on("pageerror", lambda error: made.complaints.append(f"error: {error}"))
        own = path.as_uri()
        made.page.on(
            "request", lambda asked: made.requests.append(asked.url) if asked.url.split("#")[0] != own else None
        )
        made.page.goto(own)
        if charts:
            made.until("document.documentElement.dataset.ready === 'yes'")
        return made


# No longer than its module: as long as Playwright is there, the thread has an event loop, which other tests want.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield Browser(chromium)
        chromium.close()


@pytest.fixture
def screenshots() -> Path:
    """Where screenshots are kept for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
