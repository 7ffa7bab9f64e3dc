"""A program as a recovery step: what it says, how long it may take, what it leaves."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from pathlib import Path

import pytest
from chaoslib.exceptions import ActivityFailed

from chaos_helpers import lives
from drillmark.decide.stops import repeatable
from drillmark.model.planned import PlannedActivity
from drillmark.recovery import command


def test_what_it_prints_is_kept_to_its_end(tmp_path: Path):
    script = "import sys; print('x' * 9000 + 'end'); print('beware', file=sys.stderr)"
    found = command.run([sys.executable, "-c", script], directory=str(tmp_path))

    assert found["exit_code"] == 0
    assert len(found["stdout"]) == 4000
    assert found["stdout"].endswith("end\n")
    assert found["stderr"] == "beware\n"
    assert "drillmark" not in found, "what was not said is not known"


def test_a_text_goes_to_a_shell_and_a_list_to_none():
    assert command.run("echo $((1 + 1)) | cat")["stdout"] == "2\n"
    assert command.run(["echo", "$((1 + 1)) | cat"])["stdout"] == "$((1 + 1)) | cat\n"


def test_it_runs_where_and_with_what_it_is_told(tmp_path: Path):
    found = command.run("echo $WHO; pwd", directory=str(tmp_path), environment={"WHO": "me"})

    assert found["stdout"].split() == ["me", str(tmp_path)]


def test_another_exit_code_is_a_failure_with_its_last_words():
    with pytest.raises(ActivityFailed, match="ended with 3: no room"):
        command.run("echo no room >&2; exit 3")
    assert command.run("exit 3", exit_codes=[0, 3])["exit_code"] == 3


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # as nobody knows of its end
def test_an_exit_code_that_nobody_knows_is_a_failure():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(ActivityFailed, match="nobody can tell how"):
            command.run("exit 3")
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_what_cannot_be_started_is_named():
    with pytest.raises(ActivityFailed, match="cannot start no-such-program"):
        command.run(["no-such-program"])
    with pytest.raises(ActivityFailed, match="is empty"):
        command.run([])


def test_past_its_time_it_is_ended_with_all_that_it_started(tmp_path: Path):
    pids = tmp_path / "pids"
    line = f"sleep 300 & echo $! >{pids}; trap '' TERM; sleep 300"
    begun = time.monotonic()
    with pytest.raises(ActivityFailed, match=r"took longer than 3 s"):
        command.run(line, timeout="3s")

    assert time.monotonic() - begun < 60
    deadline = time.monotonic() + 60
    while lives(int(pids.read_text())):
        assert time.monotonic() < deadline, "a process was left"
        time.sleep(0.05)


def test_even_what_went_into_a_session_of_its_own_is_ended(tmp_path: Path):
    pids = tmp_path / "pids"
    with pytest.raises(ActivityFailed, match="took longer than 3 s"):
        command.run(f"(setsid sh -c 'echo $$ >{pids}; exec sleep 300' &); sleep 300", timeout="3s")

    deadline = time.monotonic() + 60
    while lives(int(pids.read_text())):
        assert time.monotonic() < deadline, "a process was left"
        time.sleep(0.05)


def test_what_it_reports_of_the_data_is_handed_on():
    before_ns = time.monotonic_ns()
    now = "python3 -c 'import datetime; print(datetime.datetime.now(datetime.timezone.utc).isoformat())'".replace(
        "python3", shlex.quote(sys.executable)
    )
    line = (
        f'echo "{{\\"recovery_point\\": \\"2026-01-02T03:04:05+01:00\\", \\"data_restored\\": \\"$({now})\\"}}"'
        ' > "$DRILLMARK_REPORT"'
    )
    report = command.run(line)["drillmark"]

    assert report["last_transaction_wall_ns"] == 1767319445 * 10**9
    lower, upper = report["data_restored_ns"]
    assert lower is None, "nobody looked when it was not there yet"
    assert before_ns - 10**9 <= upper <= time.monotonic_ns()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "not JSON"),
        ("[1]", "makes no sense"),
        ('{"rto": 1}', "makes no sense"),
        ('{"recovery_point": "2026-01-02T03:04:05"}', "no time with a zone"),
        ('{"data_restored": "2999-01-02T03:04:05Z"}', "in the future"),
    ],
)
def test_a_report_that_makes_no_sense_is_a_failure(text: str, expected: str):
    with pytest.raises(ActivityFailed, match=expected):
        command.run(["sh", "-c", 'printf %s "$0" > "$DRILLMARK_REPORT"', text])


def test_after_a_crash_it_is_repeated_only_where_its_activity_says_so():
    def planned(module: str, *, says_so: bool) -> PlannedActivity:
        provider = {"type": "python", "module": module, "func": "run"}
        return PlannedActivity(name="x", activity={"provider": provider}, repeatable=says_so)

    assert not repeatable(planned("drillmark.recovery.command", says_so=False))
    assert repeatable(planned("drillmark.recovery.command", says_so=True))
    assert repeatable(planned("drillmark.recovery.postgres_pitr", says_so=False))
