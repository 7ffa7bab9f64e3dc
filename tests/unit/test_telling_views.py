"""A view beside a drill: it hangs, it raises, it is slow; the drill never waits, and the face says so."""

from __future__ import annotations

import threading
import time

from drillmark import clock, telling
from drillmark.define.settings import Settings
from drillmark.engine.view import Live, SilentView
from drillmark.journal.entries import follow
from drillmark.model.entry import Kind
from drillmark.telling.beside import Reports
from drillmark.telling.views import Views

ENTRY = follow(None, run="r", epoch=1, kind=Kind.EVENT, stamp=clock.now(), data={"what": "x"})
LIVE = Live("r", "baseline", "", 0.0, None, None, 60.0)
# What must not wait is told from what does by three orders of magnitude.
AT_ONCE_SECONDS = 5.0


class Face(SilentView):
    def __init__(self):
        self.said: list[str] = []
        self.entries = 0

    def entry(self, *_):
        self.entries += 1

    def notice(self, text):
        assert threading.current_thread() is threading.main_thread()
        self.said.append(text)


class Hears:
    """A listener that does what it is told."""

    name = "the ear"

    def __init__(self, act=lambda: None, close=lambda: None):
        self.act, self.at_close = act, close
        self.heard: list[object] = []

    def entry(self, entry, sentence):
        self.heard.append((entry, sentence))
        self.act()

    def tick(self, live):
        self.heard.append(live)

    def close(self):
        self.at_close()


def views(*listeners, seconds=30.0):
    face = Face()
    return face, Views(face, listeners, Reports(), close_seconds=seconds)


def test_all_hear_in_order_and_the_face_first():
    ear = Hears()
    face, view = views(ear)
    with view:
        for number in range(300):
            view.entry(ENTRY, str(number))
    assert [sentence for _, sentence in ear.heard] == [str(number) for number in range(300)]
    assert (face.entries, face.said) == (300, [])


def test_one_that_hangs_stops_nothing_and_is_named():
    never = threading.Event()
    face, view = views(Hears(act=never.wait), seconds=0.2)
    began = time.monotonic()
    with view:
        for _ in range(5000):
            view.entry(ENTRY, "")
            view.tick(LIVE)
    assert time.monotonic() - began < AT_ONCE_SECONDS
    never.set()
    assert face.entries == 5000
    assert face.said[0].startswith("warning: the ear did not end in time, and has not heard of ")
    assert "entries were dropped" in face.said[1]


def test_one_that_raises_is_told_of_once_and_goes_on():
    def act():
        raise ValueError("no such place")

    ear = Hears(act=act)
    face, view = views(ear)
    with view:
        for _ in range(10):
            view.entry(ENTRY, "")
    assert len(ear.heard) == 10
    assert face.said == ["warning: the ear failed: ValueError: no such place"]


def test_one_that_does_nothing_but_raise_falls_silent():
    def act():
        raise ValueError

    ear = Hears(act=act)
    face, view = views(ear)
    deadline = time.monotonic() + 60
    with view:
        while not view._besides[0].dropped and time.monotonic() < deadline:
            view.entry(ENTRY, "")
            time.sleep(0.001)
    assert len(ear.heard) < 2000
    assert "the ear was too slow, or failed too often" in face.said[-1]


def test_reports_are_said_while_the_drill_goes_on():
    def act():
        raise ValueError("gone")

    face, view = views(Hears(act=act))
    with view:
        view.entry(ENTRY, "")
        deadline = time.monotonic() + 60
        while not face.said and time.monotonic() < deadline:
            view.tick(LIVE)
            time.sleep(0.01)
        assert face.said == ["warning: the ear failed: ValueError: gone"]


def test_a_failed_close_is_said():
    def close():
        raise OSError("full")

    face, view = views(Hears(close=close))
    with view:
        pass
    assert face.said == ["warning: the ear failed: OSError: full"]


def test_without_any_settings_there_is_the_face_alone(tmp_path):
    face = Face()
    with telling.views(Settings(), {}, root=tmp_path, face=face) as view:
        view.entry(ENTRY, "")
        view.notice("look")
    assert (face.entries, face.said) == (1, ["look"])
    assert not list(tmp_path.iterdir())
