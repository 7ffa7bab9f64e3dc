"""What a worker hears of the process that performs a drill for it."""

from __future__ import annotations

import json

from drillmark.fleet import performing
from drillmark.fleet.claims import Claim
from drillmark.fleet.endings import Ending

CLAIM = Claim("x@1", "x", "drills/x.yaml", "w1", 1, 1, "r1", taking_over=False, due_at=0.0, start_at=0.0)
VERDICT = {"verdict": "passed", "reason": "", "again": False, "settled": True}
LINES = (
    {"notified": ["ops", "start", "sent"]},
    "a library says this",
    {"notified": 1},
    {"notified": ["ops", "start"]},
    {"notified": ["ops", "end", "sent", "twice"]},
    {"notified": {"channel": "ops"}},
    "{no JSON",
    VERDICT,
    {"level": "info"},
)


def test_a_line_of_another_shape_does_not_lose_the_verdict_after_it(tmp_path, monkeypatch):
    said = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in LINES)
    (tmp_path / "talker.py").write_text(f"print({said!r})\n")
    monkeypatch.setattr(performing, "CHILD", "talker")
    heard: list[tuple[str, ...]] = []
    engine = performing.EngineProcess(tmp_path, lambda *words: heard.append(words))
    assert engine.perform(CLAIM, lambda: False) == Ending("passed", "")
    assert heard == [("ops", "start", "sent")]
