"""Twenty outages in real time, all at once: the real prober's beats, and the truth from the server's own script."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from drillmark import measure
from rig import real_time
from rig.real_time import Life, make

SEED = os.environ.get("DRILLMARK_RIG_SEED", "1")
LIVES, STORIES = 5, 4


@pytest.mark.realtime
def test_twenty_real_outages_contain_the_truth(tmp_path: Path):
    lives = [
        Life(
            [
                make(Random(f"{SEED}:{life}:{number}"), life + LIVES * number, last=number == STORIES - 1)
                for number in range(STORIES)
            ]
        )
        for life in range(LIVES)
    ]
    real_time.run(lives, tmp_path)
    wrong: list[str] = []
    bounded = 0
    for life, story in [(one, story) for one in lives for story in one.stories]:
        evidence = real_time.evidence(life, story)
        measured = measure.measure(evidence)
        assert evidence.beats is not None
        found = real_time.problems(story, measured, evidence.beats)
        wrong += [f"{story.kind}, {story.service.failure}: {problem}" for problem in found]
        bounded += measured.rta.seconds is not None and measured.rta.seconds.hi is not None
    assert not wrong, f"DRILLMARK_RIG_SEED={SEED}\n" + "\n".join(wrong)
    # A prober that was killed leaves no upper edge; most of the others must, or the rig shows nothing.
    assert bounded >= LIVES * STORIES // 2
