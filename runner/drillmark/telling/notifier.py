"""Tells channels of one run: what is news in its entries (`news`) goes to whoever wants it (`posting`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drillmark.engine.view import Live
from drillmark.model.entry import Entry, Kind
from drillmark.report import files
from drillmark.telling.news import Newsroom
from drillmark.telling.posting import Posts

# Less than the views wait for their listeners, so that a channel that hangs is named by its own name.
CLOSE_SECONDS = 8.0


class Notifier:
    """A listener."""

    name = "the notifications"

    def __init__(self, posts: Posts, runs: Path, before: Sequence[Entry]) -> None:
        """`runs` is the folder of the workspace's runs."""
        self._posts = posts
        self._runs = runs
        self._newsroom = Newsroom()
        self._newsroom.catch_up(before)

    def entry(self, entry: Entry, sentence: str) -> None:
        """Tell what is news in it."""
        for message in self._newsroom.entry(entry, sentence):
            self._posts.put(message)
        if entry.kind is Kind.RUN_ENDED:
            for message in self._newsroom.ended(entry, files.read(self._runs / entry.run)):
                self._posts.put(message)

    def tick(self, live: Live) -> None:
        """Tell that an objective is at risk, once."""
        for message in self._newsroom.tick(live):
            self._posts.put(message)

    def close(self) -> None:
        """Let what waits be sent, for some seconds."""
        self._posts.close(CLOSE_SECONDS)
