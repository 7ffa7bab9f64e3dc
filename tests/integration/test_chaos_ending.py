"""What activities leave to the end of their process is done there, as with `chaos run`: files are written whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from bare_runs import journal, play
from chaos_helpers import FUNCTIONS, Followed, experiment, python
from drillmark.chaos import ActivityWorker


def in_a_bare_experiment(folder: Path, activity: dict) -> tuple[str, Path]:
    code, said = play(folder, experiment([activity]))
    assert code == 0, said
    (log,) = folder.glob(".drillmark/runs/*/chaos/child.log")
    return journal(folder)["run"][0]["output"], log


def in_a_drill(folder: Path, activity: dict) -> tuple[str, Path]:
    with Followed(folder, experiment([activity])) as followed:
        followed.play()
    return followed.journal["run"][0]["output"], followed.log_path


def by_itself(folder: Path, activity: dict) -> tuple[str, Path]:
    log = folder / "worker.log"
    with ActivityWorker(folder, {}, {}, log_path=log, environment=FUNCTIONS) as worker:
        return worker.run(activity, timeout_seconds=60).output, log


@pytest.mark.parametrize("runs", [in_a_bare_experiment, in_a_drill, by_itself])
@pytest.mark.parametrize("lingers", [False, True], ids=["", "with a thread that stays"])
def test_what_was_kept_to_the_end_is_whole(tmp_path, runs, lingers):
    report = tmp_path / "report"
    temporary, log = runs(tmp_path, python("keep", "keep_to_the_end", path=str(report), lingers=lingers))
    assert report.read_text() == "a row\n"
    assert temporary
    assert not Path(temporary).exists()
    assert "said at the end" in log.read_text().splitlines()
