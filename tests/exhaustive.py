"""The one switch between a sample that every run of the suite can afford, and all cases.

`make test-exhaustive` sets DRILLMARK_EXHAUSTIVE=1. What is left out of a sample is never called tested.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

EXHAUSTIVE = os.environ.get("DRILLMARK_EXHAUSTIVE") == "1"
# Another one draws another sample; what a run of the suite drew stands in the names of its tests.
SEED = int(os.environ.get("DRILLMARK_SEED", "20260101"))


def sample(cases: Sequence[T], count: int) -> list[T]:
    """All cases in an exhaustive run, else so many of them, drawn by `SEED`, in their order."""
    if EXHAUSTIVE or count >= len(cases):
        return list(cases)
    # The draw is no secret: it must be the same in every worker.
    chosen = random.Random(SEED).sample(range(len(cases)), count)
    return [cases[index] for index in sorted(chosen)]


def how_many(in_every_run: int, exhaustive: int) -> int:
    """How many random cases to make."""
    return exhaustive if EXHAUSTIVE else in_every_run
