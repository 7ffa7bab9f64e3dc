"""A real Chromium of the system, opened once. Playwright's own download is off: only its driver is used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

OPEN_SECONDS = 60
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
            made.page.wait_for_function("document.documentElement.dataset.ready === 'yes'")
        return made


@pytest.fixture(scope="session")
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
