"""The faces of a running drill: they fit, they tell what matters, and they disturb nothing."""

from __future__ import annotations

import io
import threading
import time

import pytest
from rich.console import Console

import report_builders as build
from drillmark.cli import screen, story, terminal, views
from drillmark.cli.painter import Painter
from drillmark.engine.view import Live, RecoveryProgress
from drillmark.model.entry import Effect, Kind

NASTY = "title \x1b[2J\x1b]0;owned\x07 \u202e end"


def live(**changes) -> Live:
    fields = {
        "run": build.RUN,
        "phase": "recover",
        "sentence": "recover: restore-latest",
        "phase_elapsed_seconds": 7.2,
        "phase_total_seconds": 28800.0,
        "since_fault_seconds": 41.2,
        "rto_seconds": 14400.0,
        "beats": ("good",) * 30 + ("absent",) + ("bad",) * 29,
        "load_per_second": 104.2,
        "load_p50_seconds": 0.0042,
        "load_p95_seconds": 0.0123,
        "load_errors_per_second": 98.0,
        "writes_acknowledged": 3412,
        "recovery": RecoveryProgress("copy", 64_000_000, 100_000_000, 58e6),
        "next": "recover: switch-over",
    }
    return Live(**(fields | changes))


def drawn(width=80, height=24, lines=(), a_plan=None, **changes) -> list[str]:
    rows = screen.render(screen.Screen(a_plan or build.plan(), width, height), live(**changes), lines)
    return ["".join(text for text, _ in row) for row in rows]


def test_the_screen_shows_everything_that_is_promised():
    text = "\n".join(drawn())
    for part in ("orders-db-lost on orders-db (lab)", "recover", "restore-latest", "7 s of 8 h", "41.2 s of 4 h", "■", "✗", "·",
                 "104 requests/s", "p50 4.2 ms", "p95 12.3 ms", "98 errors/s", "3,412 acknowledged", "copy", "64 MB of 100 MB",
                 "58 MB/s", "recover: switch-over", "run a1b2c3"):  # fmt: skip
        assert part in text


def test_the_screen_of_a_simulated_disaster_speaks_of_no_fault():
    for since in (None, 3.0):
        moment = {"phase": "inject", "sentence": "declare: the database is lost", "since_fault_seconds": since}
        text = "\n".join(drawn(simulated=True, **moment)) + screen.status_line(live(simulated=True, **moment))
        assert "declare" in text
        assert "fault" not in text


@pytest.mark.parametrize("width", [40, 57, 80, 120, 200])
@pytest.mark.parametrize("height", [6, 24, 50])
def test_the_screen_fits(width, height):
    lines = [story.Line(float(n), "something happened that takes a very long line to tell " * 3) for n in range(60)]
    for changes in (
        {},
        {"since_fault_seconds": None, "recovery": None},
        {"since_fault_seconds": 20000.0},
        {"beats": ()},
    ):
        rows = drawn(width, height, lines, build.plan(title="t" * 300), sentence="s" * 300, next="n" * 300, **changes)
        assert len(rows) <= height
        assert max(len(row) for row in rows) <= width


def test_the_clock_says_when_the_objective_is_missed_and_goes_on():
    text = "\n".join(drawn(since_fault_seconds=70.0, rto_seconds=60.0))
    assert "70.0 s of 60 s - objective missed, timing goes on" in text


def test_nothing_on_the_screen_moves_a_terminal():
    lines = [story.Line(1.0, story.words.harmless(NASTY))]
    progress = RecoveryProgress(NASTY, text=NASTY)
    rows = drawn(120, 40, lines, build.plan(title=NASTY), sentence=NASTY, next=NASTY, recovery=progress)
    assert not any(ord(sign) < 32 or sign in "\x7f\u202e" for row in rows for sign in row)


def told(kind: Kind, sentence="", **data) -> str | None:
    entry = build.Journal().add(12.0, kind, **data)
    line = story.tell(entry, sentence, build.stamp(0))
    return line and line.text


def test_the_story_tells_what_matters_and_leaves_out_the_rest():
    assert told(Kind.INTENT, "inject x", effect="inject") == "inject x"
    assert told(Kind.OUTCOME, effect="start_load", status="succeeded") is None
    assert (
        told(Kind.OUTCOME, effect="recover", key="0:fence", status="failed", error="no") == "recover fence failed: no"
    )
    assert (
        told(Kind.OUTCOME, effect="preflight", key="0:r", status="succeeded", good=False, error="none")
        == "preflight r: not good: none"
    )
    assert told(Kind.EVENT, "load died", what="load_died", reason="gone") == "load died: gone"
    assert told(Kind.EVENT, what="samples_closed") is None
    assert told(Kind.ABORT, by="person", reason="ada: wrong target") == "abort asked for by a person: ada: wrong target"
    assert told(Kind.GUARD, "guard: acting", what="acting", reason="no lease") == "the guard: acting (no lease)"
    assert told(Kind.GUARD, what="rollback", name="put-back", status="failed") == "the guard: rollback put-back failed"
    assert told(Kind.UNDONE, by_hand="Ada", proved=False) == "Ada says: undone by hand"
    assert told(Kind.GUARD, what="undo_failed", error="gone") == "the guard: undo failed (gone)"
    assert told(Kind.UNDONE) == "the fault is proved gone"
    assert told(Kind.RESUMED, epoch=3) == "taken up again by another runner (epoch 3)"
    assert "\x1b" not in told(Kind.EVENT, NASTY, what="x")


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "data", [{}, {"effect": "nonsense", "status": 3, "started": "x"}, {"effect": "inject", "ended": {}}]
)
def test_no_entry_can_break_the_story(kind, data):
    told(kind, **data)


def test_plain_lines_carry_the_time_since_the_start(capsys):
    with views.PlainView() as view:
        for entry in build.journal():
            view.entry(entry, "inject it" if entry.effect is Effect.INJECT else "")
        view.notice(NASTY)
    lines = capsys.readouterr().out.splitlines()
    assert " +40.0 s  inject it" in lines
    assert any(line.startswith("+160.0 s  recover restore-latest: done in") for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_plain_lines_say_that_they_live_when_nothing_happens(capsys, monkeypatch):
    monkeypatch.setattr(views, "_SILENCE_SECONDS", 0.0)
    with views.PlainView() as view:
        view.tick(live())
    out = capsys.readouterr().out
    assert "recover; 7.2 s; 41.2 s since the fault began, objective 4 h; last 60 beats: 29 bad, 1 absent" in out


def test_the_screen_is_drawn_and_its_story_stays(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, color_system=None)
    with views.ScreenView(build.plan(), console) as view:
        for entry in build.journal():
            view.entry(entry, "inject it" if entry.effect is Effect.INJECT else "")
            view.tick(live())
        deadline = time.monotonic() + 60
        while "104 requests/s" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        view.notice("a second signal does not cut the undo short")
    text = out.getvalue()
    assert "104 requests/s" in text
    after = text[text.rindex("104 requests/s") :]
    assert " +40.0 s  inject it" in after
    assert "a second signal does not cut the undo short" in after
    assert text.endswith("\n")


def test_a_terminal_that_takes_nothing_stops_no_drill():
    released = threading.Event()
    painter = Painter()
    painter.line(released.wait)
    begin = time.monotonic()
    for _ in range(5000):
        painter.line(lambda: None)
        painter.frame(lambda: None)
    assert time.monotonic() - begin < 10  # it takes milliseconds, and nothing takes a line until the release below
    released.set()
    assert painter.close()


def test_a_terminal_that_breaks_silences_the_painter_only():
    def broken() -> None:
        raise OSError("gone")

    painter = Painter()
    drawn_after: list[int] = []
    painter.line(broken)
    painter.line(lambda: drawn_after.append(1))
    assert painter.close()
    assert painter.failure == "OSError: gone"
    assert drawn_after == []


def test_json_keeps_stdout_free(capsys):
    with views.choose(build.plan(), quiet=True) as view:
        for entry in build.journal():
            view.entry(entry, "x")
        view.tick(live())
        view.notice("hear this")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hear this\n")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_and_dumb_terminals_get_plain_lines(monkeypatch, name, value):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.is_plain() is False
    monkeypatch.setenv(name, value)
    assert terminal.is_plain() is True


def test_ascii_terminals_get_ascii():
    assert terminal.ascii_only("■✗·█░… ü") == "#x.#-~ ?"
