"""Any other Chaos Toolkit probe, performed by chaoslib in a thread, at a slower pace.

Such a probe may block, and nothing can end a Python function from outside: it gets several threads, so that a slow
answer does not hold up the next, but not endlessly many. Must never be called more than its pace allows.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from chaoslib.activity import ensure_activity_is_valid, run_activity
from chaoslib.exceptions import ActivityFailed

from drillmark.observe.answer import Answer, NotSentError
from drillmark.observe.tolerance import http_is_good, is_met

PACE_SECONDS = 1.0
_MOST_AT_ONCE = 16


class ForeignProbe:
    """A probe of any provider."""

    def __init__(
        self, name: str, activity: dict[str, Any], configuration: dict[str, Any], secrets: dict[str, Any]
    ) -> None:
        self.name = name
        self._activity = activity
        self._configuration = configuration
        self._secrets = secrets
        self._at_once = 0
        ensure_activity_is_valid(activity)  # imports its module: not while the first beat waits

    async def ask(self) -> Answer:
        """Perform it once. Raises NotSentError while too many earlier ones are still under way."""
        if self._at_once >= _MOST_AT_ONCE:
            raise NotSentError("too many calls of this probe have not returned")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._at_once += 1

        def done(result: Answer) -> None:
            self._at_once -= 1
            if not answer.done():
                answer.set_result(result)

        def work() -> None:
            result = perform(self._activity, self._configuration, self._secrets)
            if not loop.is_closed():
                loop.call_soon_threadsafe(done, result)

        threading.Thread(target=work, name=f"probe {self.name}", daemon=True).start()
        return await answer

    async def close(self) -> None:
        """Threads that hang are left to end with the process."""


def perform(activity: dict[str, Any], configuration: dict[str, Any], secrets: dict[str, Any]) -> Answer:
    """Run a probe with chaoslib, in this thread, and judge it. Never raises for what the probe raises."""
    try:
        value = run_activity(activity, configuration, secrets)
    except ActivityFailed as error:
        return Answer(ok=False, detail="timeout" if "too long" in str(error) else "failed")
    except Exception as error:  # noqa: BLE001  # a probe may raise anything; it was not good then
        return Answer(ok=False, detail=type(error).__name__)
    if activity["provider"]["type"] == "http":
        return Answer(*http_is_good(activity, value, configuration, secrets))
    met = is_met(activity, value, configuration, secrets)
    return Answer(met, "ok" if met else "tolerance")
