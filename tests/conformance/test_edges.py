"""The sharp edges of Chaos Toolkit: each has a row in `docs/reference/deviations.md`, and each row has its tests.

Those that stand here are the ones that have no better place; the rest is named in the table.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from comparing import DEVIATIONS, ROOT

from chaos_helpers import FUNCTIONS, Followed, experiment, probe, python, shell
from drillmark.chaos import What, undo
from drillmark.chaos.preparing import prepare
from drillmark.chaos.redact import Redactor
from file_drill import DRILL, drillmark, make, put_back, serving, start
from waiting import until

HEADING = "## Sharp edges of Chaos Toolkit"
ROWS = 17


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    served = tmp_path_factory.mktemp("served") / "the file"
    with serving(served) as url:
        yield url, served


def _rows() -> list[list[str]]:
    section = DEVIATIONS.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


def test_every_edge_has_a_row_and_every_row_a_test_that_is_there():
    rows = _rows()
    assert len(rows) == ROWS
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for edge, answer, named in rows:
        assert len(edge) > 10, edge
        assert len(answer) > 10, answer
        names = re.findall(r"`(test_[a-z_0-9]+)`", named)
        assert names, edge
        assert not [name for name in names if not re.search(rf"^\s*def {name}\(", tests, re.MULTILINE)], edge


def test_rollbacks_run_after_a_failure(tmp_path):
    """Chaos Toolkit skips them where the status is `failed`, unless told otherwise."""
    state = tmp_path / "state"
    state.write_text("up")
    whole = experiment(
        [shell("break", f"rm {state}")],
        [shell("mend", f"touch {state}")],
        probes=[probe("size", "size_of", tolerance=[0, 9], path=str(state))],
    )
    with Followed(tmp_path / "run", whole) as run:
        end = run.play()
        assert (end.event, end.status, end.deviated) == (What.FINISHED, "failed", True)
        assert run.ended() == {"mend": "succeeded"}
    assert state.exists()


@pytest.mark.parametrize("ours", ["never", "default", "deviated"])
def test_the_runtime_block_never_skips_an_undo(tmp_path, ours):
    """The library reads the strategy from the settings alone, and would follow it."""
    runtime = {"rollbacks": {"strategy": ours}, "hypothesis": {"strategy": "after-method-only"}}
    settings = {"runtime": {"rollbacks": {"strategy": ours}}}
    whole = experiment([python("a", "give")], [python("mend", "give")], runtime=runtime)
    request = {"experiment": whole, "journal_path": str(tmp_path / "j"), "settings": settings}
    prepared = prepare(request, Redactor())
    assert prepared.settings["runtime"]["rollbacks"]["strategy"] == "always"
    assert prepared.strategy.value == "after-method-only"


def test_a_refused_action_and_a_failed_undo_fail_the_run_with_gaps(tmp_path, service):
    aside, served = service[1].with_name("aside"), service[1]
    root = make(
        tmp_path / "ws",
        service,
        method=[shell("lose", f"mv '{served}' '{aside}'"), shell("refused", "echo no such thing >&2; exit 3")],
        rollbacks=[shell("cannot", "echo still here >&2; exit 4"), put_back(served)],
    )
    done = drillmark(root, "run", DRILL, "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["verdict"] == "failed"
    gaps = {(gap["objective"], gap["kind"]) for gap in json.loads(drillmark(root, "gaps", "--json").stdout)}
    assert ("undo", "failed") in gaps, gaps
    assert any(kind == "failed" and objective != "undo" for objective, kind in gaps), gaps
    assert served.exists()
    assert not aside.exists()


@pytest.mark.parametrize("how", ["timeout", "SIGTERM"])
def test_an_activity_that_swallows_everything_is_ended_and_undone(tmp_path, service, how, monkeypatch):
    """Within a Python activity chaoslib's own interruption becomes a failed activity, and its time-out is forgotten."""
    monkeypatch.setenv("PYTHONPATH", FUNCTIONS["PYTHONPATH"])
    served, mark = service[1], tmp_path / "mark"
    stubborn = python("stubborn", "defy", seconds=300, mark=str(mark))
    if how == "timeout":
        stubborn["provider"]["timeout"] = 2
    lose = shell("lose", f"mv '{served}' '{served.with_name('aside')}'")
    root = make(tmp_path / "ws", service, method=[lose, stubborn], rollbacks=[put_back(served)])
    process = start(root, "run", DRILL)
    if how == "SIGTERM":
        until(mark.exists, seconds=60)
        process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == (3 if how == "SIGTERM" else 4), text
    assert served.exists()
    assert not Path(f"/proc/{mark.read_text()}").exists()


def test_plan_performs_nothing_and_knows_no_dry_run(tmp_path, service):
    touched = tmp_path / "touched"
    root = make(tmp_path / "ws", service, method=[shell("break", f"touch {touched}")], rollbacks=[put_back(service[1])])
    done = drillmark(root, "plan", DRILL)
    assert done.returncode == 0, done.stderr
    assert not touched.exists()
    make(root, service, method=[{**shell("break", f"touch {touched}"), "dry": "activities"}])
    done = drillmark(root, "run", DRILL)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "dry" in done.stderr
    assert not touched.exists()


def test_what_a_run_leaves_is_for_its_owner_alone(tmp_path):
    with Followed(tmp_path / "run", experiment([python("a", "give", value=1)], [python("mend", "give")])) as run:
        run.play()
        files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
        assert {path.name for path in files} >= {"journal.json", "events.jsonl", "child.log"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_what_an_activity_does_to_its_process_stays_there(tmp_path):
    """Environment, signals, caches and working folder are the child's; an undo in another process sees none of it."""
    look = shell("look", 'test -z "$ODD_VARIABLE"')
    whole = experiment([python("set", "set_variable", variable="ODD_VARIABLE", value="x")], [look])
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)]
    folder = Path.cwd()
    with Followed(tmp_path / "run", whole) as run:
        run.play()
        assert run.ended() == {"look": "failed"}  # within the child it is seen
    assert "ODD_VARIABLE" not in os.environ
    assert Path.cwd() == folder
    assert handlers == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)]
    outcomes: list[Any] = undo.perform(whole, set(), run_dir=tmp_path / "run")
    assert [outcome.status.value for outcome in outcomes] == ["succeeded"]


def test_the_reporting_extension_is_not_installed():
    """With it, `chaos --version` alone takes two seconds."""
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        assert "chaostoolkit-reporting" not in (ROOT / name).read_text(encoding="utf-8")
