"""Chaos Toolkit's journal as text, at any moment of a run: valid also when nobody comes to finish it.

What has ended is made into JSON once, so that a long experiment does not spend its time on its own journal. Must never
hand out the value of a secret.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from drillmark.chaos.values import jsonable

if TYPE_CHECKING:
    from drillmark.chaos.redact import Redactor

# What is cut short here was interrupted, whatever by.
UNFINISHED = "interrupted"


class Growing:
    """The text of one journal, again and again."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[dict[str, Any], Any]] = {}
        self._experiment: Any = None

    def text(self, journal: dict[str, Any], redactor: Redactor, *, ended: bool) -> str:
        """The journal by now. Raises RuntimeError where another thread is filling it at this moment.

        At the end everything is made anew: a control may have changed a record after its activity had ended.
        """
        if ended:
            return json.dumps(redactor.value(jsonable(_with_dry(journal))), indent=2, ensure_ascii=False)
        if self._experiment is None:
            self._experiment = redactor.value(jsonable(_with_dry(journal)["experiment"]))
        now = datetime.now(UTC)
        rest = {key: value for key, value in journal.items() if key not in ("experiment", "run", "rollbacks")}
        whole = {
            **redactor.value(jsonable(rest)),
            "experiment": self._experiment,
            "run": self._runs(journal["run"], redactor),
            "rollbacks": self._runs(journal["rollbacks"], redactor),
        }
        whole.setdefault("end", now.isoformat())
        whole.setdefault("duration", (now - datetime.fromisoformat(journal["start"])).total_seconds())
        if whole["status"] in (None, "completed"):
            whole["status"] = UNFINISHED
        return json.dumps(whole, ensure_ascii=False)

    def _runs(self, runs: list[dict[str, Any]], redactor: Redactor) -> list[Any]:
        made: list[Any] = []
        for run in list(runs):
            known = self._made.get(id(run))
            if known is not None:
                made.append(known[1])
                continue
            value = redactor.value(jsonable(run))
            if "end" in run:
                # The record itself is kept too, so that no other one gets its identity.
                self._made[id(run)] = (run, value)
            made.append(value)
        return made


def _with_dry(journal: dict[str, Any]) -> dict[str, Any]:
    """As `chaos run` writes it: `dry` by its name."""
    dry = journal["experiment"].get("dry")
    return {**journal, "experiment": {**journal["experiment"], "dry": getattr(dry, "value", dry)}}
