"""The receiver's own file, `alerts.jsonl`: what came, stamped, on disk before anybody is answered.

Append-only. It is bounded: beyond a thousand alerts that match, and a thousand of everything else, it only says that
some are left out. Such a file must never be taken for silence, so the two are counted apart.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drillmark import clock, files
from drillmark.model.stamp import Stamp
from drillmark.observe.alert_bodies import Alert

LIMIT = 1000
NAME = "alerts.jsonl"


class AlertLog:
    """One receiver's file. Every method raises OSError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = {True: 0, False: 0}
        self._line("alerts_opened")

    def alert(self, received: Stamp, route: str, alert: Alert, *, matched: bool) -> None:
        """An alert, whether or not it is one that the drill waits for."""
        self._bounded(
            "alert",
            received=received.as_json(),
            route=route,
            status=alert.status,
            labels=alert.labels,
            starts_at_ns=alert.starts_at_ns,
            matched=matched,
        )

    def unreadable(self, received: Stamp, route: str, why: str) -> None:
        """A body on one of the drill's routes that is no alert."""
        self._bounded(
            "alert",
            received=received.as_json(),
            route=route,
            status="unreadable",
            labels={},
            starts_at_ns=None,
            matched=False,
            error=why,
        )

    def away(self, begin: Stamp, end: Stamp) -> None:
        """This process was not there to listen (stopped, starved): an alert may have come and gone."""
        self._line("alerts_away", **{"from": begin.as_json(), "to": end.as_json()})

    def close(self) -> None:
        """The receiver was told to end, and listened until now."""
        self._line("alerts_closed")

    def _bounded(self, what: str, *, matched: bool, **more: Any) -> None:
        self._written[matched] += 1
        if self._written[matched] <= LIMIT:
            self._line(what, matched=matched, **more)
        elif self._written[matched] == LIMIT + 1:
            self._line("alerts_left_out", matched=matched)

    def _line(self, what: str, **more: Any) -> None:
        line = json.dumps({"what": what, "stamp": clock.now().as_json()} | more)
        files.append_line_durably(self._path, line)
