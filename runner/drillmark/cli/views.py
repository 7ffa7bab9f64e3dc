"""The faces of a running drill: a screen that redraws itself, plain lines, and silence.

A view must never disturb a drill: it draws from a thread of its own, and where nobody reads any more it falls
silent and the drill goes on.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from drillmark import clock, places
from drillmark.cli import screen, story, terminal
from drillmark.cli.painter import Painter
from drillmark.model import trace
from drillmark.report import words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live as RichLive
    from rich.text import Text

    from drillmark.engine.view import Live, View
    from drillmark.model.entry import Entry
    from drillmark.model.plan import Plan
    from drillmark.model.stamp import Stamp
    from drillmark.telling.posting import OnOutcome

_SILENCE_SECONDS = 30.0
_KEPT_LINES = 200
# Settings that come by variable or flag, and where runs are kept.
_MAY_TELL = ("DRILLMARK__", "DRILLMARK_FLAGS", "DRILLMARK_ARTIFACTS")
_RICH = {"good": "green", "bad": "bold red", "doubt": "yellow", "head": "bold", "dim": "dim", "": ""}


class PlainView:
    """One line for each thing that matters, with the time since the start; a sign of life every half minute."""

    def __init__(self) -> None:
        self._began: Stamp | None = None
        self._said_at = time.monotonic()
        self._painter = Painter()

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
        self._painter.close()

    def _say(self, text: str) -> None:
        self._said_at = time.monotonic()
        shown = text if terminal.can_draw() else terminal.ascii_only(text)
        self._painter.line(lambda: _write_line(shown))


class ScreenView:
    """The whole state of the drill, redrawn in place; its story stays in the scroll-back when it ends."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._story: list[story.Line] = []
        self._began: Stamp | None = None
        self._now: Live | None = None
        self._live: RichLive | None = None
        self._painter = Painter()

    def __enter__(self) -> Self:
        from rich.live import Live as RichLive

        # No refresh thread of rich's: the engine's ticks are the only rhythm.
        self._live = RichLive(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._painter.line(self._live.start)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._painter.line(self._live.stop)
        self._painter.line(self._leave_story)
        self._painter.close()

    def entry(self, entry: Entry, sentence: str) -> None:
        """Remember the entry's line, and draw."""
        self._began = self._began or entry.stamp
        line = story.tell(entry, sentence, self._began)
        if line is not None:
            self._story = [*self._story, line][-_KEPT_LINES:]
        self._draw()

    def tick(self, live: Live) -> None:
        """Draw the moment."""
        self._now = live
        self._draw()

    def notice(self, text: str) -> None:
        """Show it as the newest line of the story."""
        at = 0.0 if self._began is None else story.seconds_since(clock.now(), self._began)
        self._story = [*self._story, story.Line(at, words.harmless(text), "bad")]
        self._draw()

    def _draw(self) -> None:
        if self._live is not None and self._now is not None:
            live, now, lines = self._live, self._now, self._story
            # A frame may still wait when the screen is closed already.
            self._painter.frame(lambda: live.is_started and live.update(self._text(now, lines), refresh=True))

    def _text(self, now: Live, lines: list[story.Line]) -> Text:
        from rich.text import Text

        size = self._console.size
        text = Text(no_wrap=True, overflow="crop")
        draw = terminal.can_draw()
        for number, line in enumerate(screen.render(screen.Screen(self._plan, size.width, size.height), now, lines)):
            text.append("\n" if number else "")
            for part, style in line:
                text.append(part if draw else terminal.ascii_only(part), style=_RICH[style])
        return text

    def _leave_story(self) -> None:
        for line in self._story:
            text = f"{story.clock_text(line.at_seconds)}  {line.text}"
            self._console.print(text, style=_RICH[line.style] or None, soft_wrap=True)


class QuietView:
    """Nothing on stdout; what a person must read now goes to stderr."""

    def entry(self, entry: Entry, sentence: str) -> None:
        """Nothing."""

    def tick(self, live: Live) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """To stderr."""
        self._painter.line(lambda: sys.stderr.write(words.harmless(text) + "\n"))

    def __init__(self) -> None:
        self._painter = Painter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._painter.close()


def choose(plan: Plan, *, quiet: bool) -> PlainView | ScreenView | QuietView:
    """The view for this place: silent for `--json`, plain where lines must do, else the screen."""
    if quiet:
        return QuietView()
    return PlainView() if terminal.is_plain() else ScreenView(plan, terminal.console())


@contextmanager
def everyone(root: Path, plan: Plan, *, quiet: bool, before: Sequence[Entry] = ()) -> Generator[View]:
    """The view for this place, and all else that is to hear of the run (`telling`).

    `before` are the entries of a run that is taken up again. Settings that cannot be read tell nobody, which is said:
    they must not keep a fault from being undone.
    """
    with choose(plan, quiet=quiet) as face, _beside(root, face, before) as view:
        yield view


@contextmanager
def unwatched(root: Path, before: Sequence[Entry] = (), on_outcome: OnOutcome | None = None) -> Generator[View]:
    """The same for a run that nobody looks at (a worker's): what must be read goes to stderr.

    `on_outcome` hears how each message to a channel went.
    """
    with QuietView() as face, _beside(root, face, before, on_outcome) as view:
        yield view


@contextmanager
def _beside(root: Path, face: View, before: Sequence[Entry], on_outcome: OnOutcome | None = None) -> Generator[View]:
    from drillmark import artifacts, telling, workspace
    from drillmark.define.settings import Settings
    from drillmark.errors import DrillmarkError

    try:
        # A bare experiment needs no workspace.
        settings = workspace.load_settings(root) if (root / places.SETTINGS).is_file() else Settings()
    except DrillmarkError as error:
        face.notice(f"warning: nobody is notified of this run: {error}")
        settings = Settings()
    also: list[artifacts.Marker] = []
    try:
        also += [artifacts.Marker(root)] if artifacts.configured(root) else []
    except DrillmarkError as error:
        face.notice(f"warning: this run is not kept: {error}")
    with telling.views(
        settings, os.environ, root=root, face=face, before=before, also=also, on_outcome=on_outcome
    ) as view:
        yield view


@contextmanager
def lines(root: Path, *, quiet: bool, before: Sequence[Entry] = ()) -> Generator[View]:
    """The view of a run that has nothing to draw, and all else that is to hear of it, where anybody is to.

    Where nobody is, as mostly, the run does not wait for what tells of it. `before` as in `everyone`.
    """
    with QuietView() if quiet else PlainView() as face:
        if not _is_told(root):
            yield face
            return
        with _beside(root, face, before) as view:
            yield view


def _is_told(root: Path) -> bool:
    """Whether settings may say that somebody is told of runs: by their text, which takes no time to look at."""
    if trace.is_on(os.environ) or any(name.startswith(_MAY_TELL) for name in os.environ):
        return True
    layers = [root / places.SETTINGS, *(root / "environments").glob("*.yaml")]
    texts = (layer.read_bytes() for layer in layers if layer.is_file())
    return any(word in text for text in texts for word in (b"notifications", b"logs"))


def _write_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
