"""The two faces of a running drill: a screen that redraws itself, and plain lines.

A view must never disturb a drill: where nobody reads any more, it falls silent and the drill goes on.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from drillmark.cli import screen, story, terminal
from drillmark.engine.view import Live
from drillmark.model.entry import Entry, Kind
from drillmark.report import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.live import Live as RichLive
    from rich.text import Text

    from drillmark.model.plan import Plan
    from drillmark.model.stamp import Stamp

_SILENCE_SECONDS = 30.0
_KEPT_LINES = 200
_RICH = {"good": "green", "bad": "bold red", "doubt": "yellow", "head": "bold", "dim": "dim", "": ""}


class PlainView:
    """One line for each thing that matters, with the time since the start; a sign of life every half minute."""

    def __init__(self) -> None:
        self._began: Stamp | None = None
        self._said_at = time.monotonic()
        self._mute = False

    def entry(self, entry: Entry, sentence: str) -> None:
        """Print the entry's line, if it has one."""
        self._began = self._began or entry.stamp
        line = story.tell(entry, sentence, self._began)
        if line is not None:
            self._say(f"{story.clock_text(line.at_seconds)}  {line.text}")

    def tick(self, live: Live) -> None:
        """Say where things stand, if nothing was said for long."""
        if time.monotonic() - self._said_at >= _SILENCE_SECONDS:
            self._say(f"{'':8}  {screen.status_line(live)}")

    def notice(self, text: str) -> None:
        """Print it at once."""
        self._say(words.harmless(text))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def _say(self, text: str) -> None:
        self._said_at = time.monotonic()
        if self._mute:
            return
        shown = text if terminal.can_draw() else terminal.ascii_only(text)
        try:
            sys.stdout.write(shown + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            self._mute = True


class ScreenView:
    """The whole state of the drill, redrawn in place; the story stays in the scroll-back when it ends."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._story: list[story.Line] = []
        self._began: Stamp | None = None
        self._now: Live | None = None
        self._live: RichLive | None = None
        self._mute = False

    def __enter__(self) -> Self:
        from rich.live import Live as RichLive

        # No refresh thread: the engine's ticks are the only rhythm, and signals stay with the main thread.
        self._live = RichLive(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._guarded(self._live.start)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._guarded(self._live.stop)
            self._guarded(self._leave_story)

    def entry(self, entry: Entry, sentence: str) -> None:
        """Remember the entry's line and draw."""
        self._began = self._began or entry.stamp
        line = story.tell(entry, sentence, self._began)
        if line is not None:
            self._story = [*self._story, line][-_KEPT_LINES:]
        if entry.kind is not Kind.RUN_ENDED:
            self._draw()

    def tick(self, live: Live) -> None:
        """Draw the moment."""
        self._now = live
        self._draw()

    def notice(self, text: str) -> None:
        """Show it as the newest line of the story."""
        at = self._story[-1].at_seconds if self._story else 0.0
        self._story.append(story.Line(at, words.harmless(text), "bad"))
        self._draw()

    def _draw(self) -> None:
        if self._live is None or self._now is None or self._mute:
            return
        live, now = self._live, self._now
        self._guarded(lambda: live.update(self._text(now), refresh=True))

    def _text(self, now: Live) -> Text:
        from rich.text import Text

        size = self._console.size
        lines = screen.render(screen.Screen(self._plan, size.width, size.height), now, self._story)
        text = Text(no_wrap=True, overflow="crop")
        draw = terminal.can_draw()
        for number, line in enumerate(lines):
            text.append("\n" if number else "")
            for words_, style in line:
                text.append(words_ if draw else terminal.ascii_only(words_), style=_RICH[style])
        return text

    def _leave_story(self) -> None:
        for line in self._story:
            self._console.print(f"{story.clock_text(line.at_seconds)}  {line.text}", style=_RICH[line.style] or None)

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (OSError, ValueError):
            self._mute = True


def choose(plan: Plan, *, quiet: bool) -> PlainView | ScreenView | QuietView:
    """The view for this place: silent for `--json`, plain where lines must do, else the screen."""
    if quiet:
        return QuietView()
    return PlainView() if terminal.is_plain() else ScreenView(plan, terminal.console())


class QuietView:
    """Nothing on stdout; what a person must read now goes to stderr."""

    def entry(self, entry: Entry, sentence: str) -> None:
        """Nothing."""

    def tick(self, live: Live) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """To stderr."""
        try:
            sys.stderr.write(words.harmless(text) + "\n")
        except (OSError, ValueError):
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""
