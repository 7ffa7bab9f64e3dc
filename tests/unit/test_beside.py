"""What a worker does beside its drills goes on after a look that broke, and complains of that once."""

from __future__ import annotations

import threading
import time

from drillmark.cli import beside

PATIENCE_SECONDS = 60.0


def test_a_look_that_breaks_is_said_once_and_the_next_one_looks_again():
    looks: list[int] = []
    said: list[str] = []

    def look() -> None:
        looks.append(1)
        if len(looks) in {1, 2, 3, 5}:
            raise OSError("the disk is gone")

    with beside.looking("test", look, said.append, "nothing was looked at", first_seconds=0.01, every_seconds=0.01):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(looks) < 7 and time.monotonic() < deadline:
            time.sleep(0.01)
    # Once for three in a row, once more as it had been well between.
    assert said == ["nothing was looked at: OSError: the disk is gone"] * 2, (looks, said)


def test_what_there_is_in_the_end_is_looked_at_once_more():
    looks: list[int] = []
    with beside.looking("test", lambda: looks.append(1), print, "never", first_seconds=3600.0):
        assert looks == []
    assert looks == [1]


def test_the_first_look_may_be_at_once_and_a_last_one_that_hangs_is_left():
    seen, go_on = threading.Event(), threading.Event()
    looks: list[str] = []

    def look() -> None:
        looks.append("begun")
        if seen.is_set():
            go_on.wait(PATIENCE_SECONDS)
            looks.append("over")
        seen.set()

    pauses = {"first_seconds": 0.0, "every_seconds": 3600.0, "last_seconds": 1.0}
    with beside.looking("test", look, print, "never", **pauses):
        assert seen.wait(PATIENCE_SECONDS)
    try:
        assert looks == ["begun", "begun"], "it was waited for to its end"
    finally:
        go_on.set()
