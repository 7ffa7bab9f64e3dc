"""What the command line may have from whoever starts it: streams that are closed, ends of children that are ignored."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bare_runs import begin, breaks_and_mends, drillmark_starts, ended, play, result, verdicts
from chaos_helpers import experiment, python, shell
from waiting import until

IGNORING = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
IGNORES_ENDS = (sys.executable, "-c", IGNORING)


def test_the_ends_of_children_are_seen_where_they_were_ignored(tmp_path):
    code, said = play(tmp_path, experiment([shell("refused", "exit 3")]), before=IGNORES_ENDS)
    assert code == 1, said
    assert verdicts(result(tmp_path))["actions"] == "failed"
    # Nothing is begun: the child that waits already is ended.
    arguments = ("experiment", "x.json", "--journal-path=not/there.json")
    code, said = ended(drillmark_starts(tmp_path, *arguments, before=IGNORES_ENDS))
    assert (code, "--journal-path" in said) == (2, True), said


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(tmp_path, closed):
    hold = shell("hold", "touch begun; while [ ! -e go ]; do sleep 0.05; done")
    what = breaks_and_mends(tmp_path, python("say", "say", out="said out", err="said err"), hold)
    run = begin(tmp_path, what, before=("/bin/sh", "-c", f'exec "$@" {closed}', "sh"))
    try:
        until(lambda: (tmp_path / "begun").exists() or run.poll() is not None)
        assert run.poll() is None
        (directory,) = tmp_path.glob(".drillmark/runs/*-x-*")
        (guard,) = until(lambda: [pid for pid in children_of(run.pid) if name_of(pid) == "drillmark-guard"])
        assert [Path(f"/proc/{guard}/fd/{number}").readlink() for number in range(3)] == [
            Path("/dev/null"),
            *[directory / "children" / "guard.log"] * 2,
        ]
        assert (tmp_path / "broken").exists()
    finally:
        (tmp_path / "go").touch()
        code, said = ended(run)
    assert code == 0, said
    assert ("PASSED" in said) == (closed in ("<&-", "2>&-")), said
    assert not (tmp_path / "broken").exists()
    log = (directory / "chaos" / "child.log").read_text()
    assert all(line in log.splitlines() for line in ("said out", "said err", "said out from below")), log
    assert set(verdicts(result(tmp_path)).values()) <= {"passed", "not_applicable"}


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def name_of(pid: str) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
