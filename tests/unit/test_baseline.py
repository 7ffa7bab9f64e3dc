"""How long the baseline is watched: what is unknown is looked at again, what is missed is missed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drillmark.engine import waiting
from drillmark.model.entry import Effect, Status


class Hands:
    """A runner whose clock moves only while it waits."""

    def __init__(self, monkeypatch, answers: list[tuple[bool | None, str]]) -> None:
        self.now_ns, self.looked, self.told = 0, 0, dict[str, Any]()
        self.checked: list[str] = []
        self.pulse = SimpleNamespace(
            phase=lambda *_: None, wait=self.wait, guards_must_hold=lambda: self.checked.append(f"guards {self.looked}")
        )
        plan = SimpleNamespace(phases=SimpleNamespace(baseline_seconds=5.0))
        self.context = SimpleNamespace(plan=plan, intent=lambda *_: None, outcome=self.outcome)
        self.answers = answers
        monkeypatch.setattr(waiting, "clock", SimpleNamespace(monotonic_ns=lambda: self.now_ns))
        monkeypatch.setattr(waiting, "measure", SimpleNamespace(steady_state=self.look))
        held = SimpleNamespace(must_still_hold=lambda _: self.checked.append(f"permission {self.looked}"))
        monkeypatch.setattr(waiting, "permission", held)

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def look(self, _evidence, _upto_ns: int) -> tuple[bool | None, str]:
        self.looked += 1
        return self.answers[min(self.looked, len(self.answers)) - 1]

    def evidence(self) -> None: ...

    def outcome(self, effect: Effect, _key: str, _attempt: int, status: Status, **more: Any) -> None:
        assert effect is Effect.BASELINE
        self.told = {"status": status, **more}


@pytest.mark.parametrize(
    ("answers", "looked", "status"),
    [
        ([(True, "")], 1, Status.SUCCEEDED),
        ([(False, "beats are absent")], 1, Status.FAILED),
        ([(None, "not written yet"), (True, "")], 2, Status.SUCCEEDED),
        ([(None, "not written yet"), (False, "missed")], 2, Status.FAILED),
        ([(None, "nothing is known")], 4, Status.FAILED),
    ],
)
def test_unknown_is_looked_at_again_for_a_while(monkeypatch, answers, looked, status):
    hands = Hands(monkeypatch, answers)
    waiting.baseline(hands, SimpleNamespace(attempt=1, sentence="watch"))
    assert (hands.looked, hands.told["status"]) == (looked, status)
    assert hands.told["met"] is answers[-1][0]
    assert hands.checked == [f"guards {looked}", f"permission {looked}"]  # after the last look
