"""An observer of its own, which no crash of the runner disturbs: when was the service really away?"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field


@dataclass
class Observer:
    """Asks a URL twenty times a second and remembers every answer as (sent, received, good), in seconds."""

    url: str
    seen: list[tuple[float, float, bool]] = field(default_factory=list)

    def __enter__(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while not self._stop.wait(0.05):
            sent = time.monotonic()
            try:
                with urllib.request.urlopen(self.url, timeout=2) as answer:
                    good = answer.status == 200
            except (urllib.error.URLError, OSError):
                good = False
            self.seen.append((sent, time.monotonic(), good))

    def outage(self, since: float) -> tuple[float, float] | None:
        """Bounds of the time from the first failure after `since` to the end of the last one; None: no failure."""
        seen = [one for one in self.seen if one[1] >= since]
        bad = [index for index, one in enumerate(seen) if not one[2]]
        if not bad:
            return None
        first, last = bad[0], bad[-1]
        before = seen[first - 1][0] if first else since
        after = seen[last + 1][1] if last + 1 < len(seen) else float("inf")
        return max(0.0, seen[last][0] - seen[first][1]), after - before
