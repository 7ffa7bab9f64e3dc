"""The event log: every line whole, a torn one no error, growing while it is read."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading

from drillmark.chaos.events import EventLog, EventReader, Phase, What, read_events


def _write(log, count):
    for index in range(count):
        log.write(
            What.ACTIVITY_ENDED,
            phase=Phase.METHOD.value,
            index=index,
            name=f"aktivität {index}",
            type="action",
            status="succeeded",
            output={"deep": [1, None, "\ud800 lone"]},
            error="",
            timeout_seconds=1.5,
        )


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "e.jsonl"
    log = EventLog(path)
    assert log.write(What.READY)
    _write(log, 2)
    log.write(What.FINISHED, status="completed", deviated=True)
    events = read_events(path)
    assert [event.number for event in events] == [1, 2, 3, 4]
    assert [event.event for event in events] == ["ready", "activity_ended", "activity_ended", "finished"]
    assert events[1].name == "aktivität 0"
    assert events[1].timeout_seconds == 1.5
    assert events[3].deviated is True
    assert events[0].stamp.monotonic_ns <= events[3].stamp.monotonic_ns
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_cut_anywhere_reads_as_its_whole_lines(tmp_path):
    path = tmp_path / "e.jsonl"
    _write(EventLog(path), 3)
    data = path.read_bytes()
    ends = [place for place, byte in enumerate(data) if byte == ord("\n")]
    for length in [*range(0, len(data), 7), *(place + step for place in ends for step in (-1, 0, 1)), len(data)]:
        path.write_bytes(data[:length])
        assert len(read_events(path)) == data[:length].count(b"\n")


def test_a_torn_line_does_not_swallow_the_next(tmp_path):
    path = tmp_path / "e.jsonl"
    _write(EventLog(path), 2)
    with path.open("ab") as file:
        file.write(b'{"n": 3, "event": "activity_st')
    again = EventLog(path)
    again.write(What.FINISHED, status="completed")
    events = read_events(path)
    assert [event.event for event in events] == ["activity_ended", "activity_ended", "finished"]
    assert events[-1].number == 3


def test_lines_of_something_else_are_left_out(tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_text('null\n[]\n{"n": 1}\nnot json\n{"n": "x", "event": "ready", "stamp": {}}\n\n')
    assert read_events(path) == []
    assert read_events(tmp_path / "none") == []


def test_a_reader_follows_while_it_grows(tmp_path):
    path = tmp_path / "e.jsonl"
    reader = EventReader(path)
    assert reader.new() == []
    log = EventLog(path)
    writers = [threading.Thread(target=_write, args=(log, 30)) for _ in range(4)]
    for writer in writers:
        writer.start()
    seen = []
    while any(writer.is_alive() for writer in writers):
        seen += reader.new()
    for writer in writers:
        writer.join()
    seen += reader.new()
    assert sorted(event.number for event in seen) == list(range(1, 121))
    assert [event.number for event in seen] == [event.number for event in read_events(path)]


def test_a_line_that_cannot_be_written_is_told(tmp_path):
    path = tmp_path / "e.jsonl"
    script = f"""
import resource
from pathlib import Path
from drillmark.chaos.events import EventLog, What
log = EventLog(Path({str(path)!r}))
assert log.write(What.READY) and not log.lost
size = Path({str(path)!r}).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, {resource.RLIM_INFINITY}))
assert not log.write(What.STARTED) and log.lost
assert not log.write(What.STARTED)
resource.setrlimit(resource.RLIMIT_FSIZE, ({resource.RLIM_INFINITY}, {resource.RLIM_INFINITY}))
assert log.write(What.FINISHED)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert [event.event for event in read_events(path)] == ["ready", "finished"]
    assert json.loads(path.read_bytes().splitlines()[0])["event"] == "ready"
