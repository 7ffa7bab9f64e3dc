"""A workspace on disk: files found, read, checked with Chaos Toolkit, and every problem told at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from define_builders import EXPERIMENT, FULL_DRILL, MINIMAL_DRILL, TARGETS, with_line, workspace
from drillmark import workspace as workspaces
from drillmark.errors import InvalidDefinitionError, RefusedError, UsageError
from drillmark.plan import digest

DRILL = "drills/lost.yaml"


@pytest.fixture(autouse=True)
def _no_workspace_of_ours(monkeypatch):
    monkeypatch.delenv("DRILLMARK_WORKSPACE", raising=False)


def nothing_against(_experiments, _activities):
    """Chaos Toolkit, where a test is about something else: asking it takes a second."""
    return {}, {}


def problems(root: Path, ask=nothing_against) -> list[str]:
    return [str(problem) for problem in workspaces.Workspace(root, ask=ask).check(DRILL).problems]


def only(root: Path) -> str:
    (found,) = problems(root)
    return found


def test_the_whole_chain(tmp_path):
    root = workspace(tmp_path / "my workspace")
    plan = workspaces.load_plan(DRILL, root=root)
    assert plan.source == DRILL
    assert plan.fault.experiment["configuration"] == {"since": "2026-12-20"}
    assert sorted(plan.sources) == [
        "drillmark.yaml",
        DRILL,
        "experiments/load/orders.py",
        "experiments/orders-db-lost.yaml",
        "targets.yaml",
    ]
    assert plan.load.sha256 == plan.sources["experiments/load/orders.py"]


def test_the_plan_is_the_same_wherever_the_workspace_lies(tmp_path):
    roots = [workspace(tmp_path / name) for name in ("one", "two words")]
    one, two = (workspaces.Workspace(root, ask=nothing_against).check(DRILL).plan for root in roots)
    assert digest(one) == digest(two)


def test_the_workspace_is_found_upward(tmp_path, monkeypatch):
    root = workspace(tmp_path)
    monkeypatch.chdir(root / "experiments" / "load")
    assert workspaces.find() == root.resolve()
    assert workspaces.Workspace(root).drill_source("../../drills/lost.yaml") == DRILL
    assert workspaces.Workspace(root).drill_source("drills/lost.yaml") == DRILL
    assert workspaces.load_settings(root).guard.lease == 30


def test_the_workspace_is_named_by_the_environment(tmp_path, monkeypatch):
    root = workspace(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is no workspace"):
        workspaces.find()
    monkeypatch.setenv("DRILLMARK_WORKSPACE", str(root))
    assert workspaces.find() == root.resolve()
    monkeypatch.setenv("DRILLMARK_WORKSPACE", str(tmp_path))
    with pytest.raises(UsageError, match="which has no drillmark"):
        workspaces.find()


def test_a_drill_that_is_not_there_names_the_nearest(tmp_path):
    with pytest.raises(UsageError) as caught:
        workspaces.load_plan("drills/lots.yaml", root=workspace(tmp_path))
    assert caught.value.hint == "did you mean `drills/lost.yaml`? drills here: drills/lost.yaml"


def test_a_drill_outside_the_workspace(tmp_path):
    root = workspace(tmp_path / "a")
    (tmp_path / "other.yaml").write_text(MINIMAL_DRILL)
    with pytest.raises(UsageError, match="lies outside the workspace"):
        workspaces.load_plan(tmp_path / "other.yaml", root=root)


def test_everything_at_once_over_all_files(tmp_path):
    drill = MINIMAL_DRILL.replace("owner: team-orders", "ownr: us").replace("{ref: fence}", "{ref: fenc}")
    drill = drill.replace("load/orders.py", "load/order.py")
    experiment = EXPERIMENT[: EXPERIMENT.index("rollbacks:")].replace("os.path", "no_such_module")
    root = workspace(
        tmp_path,
        drill=drill,
        targets=with_line(TARGETS, "tier: 1", "teir: 1"),
        experiment=experiment,
        settings="guard: {lease: 30}\n",
    )
    found = problems(root, ask=None)
    assert [problem.split(": ")[0] for problem in found] == [
        "drillmark.yaml:1:16",
        "drills/lost.yaml:1:1",
        "drills/lost.yaml:3:1",
        "drills/lost.yaml:5:8",
        "drills/lost.yaml:6:7",
        "drills/lost.yaml:7:17",
        "experiments/orders-db-lost.yaml:6:5",
        "targets.yaml:8:5",
    ]
    assert "could not find Python module 'no_such_module'" in "".join(found)
    assert "has no undo" in "".join(found)
    with pytest.raises(InvalidDefinitionError) as caught:
        workspaces.load_plan(DRILL, root=root)
    assert [str(problem) for problem in caught.value.problems] == found
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("experiments/orders-db-lost.yaml", "experiments/orders-db-lots.yaml", "drills/lost.yaml:5:8: there is no file experiments/orders-db-lots.yaml\n  HINT: did you mean `experiments/orders-db-lost.yaml`?"),
        ("experiments/orders-db-lost.yaml", "experiment/x.yaml", "HINT: paths count from the workspace root"),
        ("experiments/orders-db-lost.yaml", "experiments/load", "experiments/load is not a file"),
        ("experiments/load/orders.py", "experiments/load/orders", "drills/lost.yaml:6:7: there is no file experiments/load/orders\n  HINT: did you mean `experiments/load/orders.py`?"),
        ("{every: quarter}", "{every: quarter}\nrunbook: docs/how-to/x.md", "drills/lost.yaml:9:10: there is no file docs/how-to/x.md"),
        ("{every: quarter}", "{every: quarter, blackouts: [calendars/x.ics]}", "drills/lost.yaml:8:40: there is no file calendars/x.ics"),
        ("{every: quarter}", "{every: quarter, time_zone: Europe/Berln}", 'drills/lost.yaml:8:39: there is no time zone "Europe/Berln"\n  HINT: did you mean `Europe/Berlin`?'),
    ],
)  # fmt: skip
def test_files_and_zones_that_are_not_there(tmp_path, old, new, expected):
    assert expected in only(workspace(tmp_path, drill=with_line(MINIMAL_DRILL, old, new)))


def test_a_runbook_may_be_an_address(tmp_path):
    assert problems(workspace(tmp_path, drill=MINIMAL_DRILL + "runbook: https://wiki/restore\n")) == []


def test_a_link_out_of_the_workspace_is_not_followed(tmp_path):
    root = workspace(tmp_path / "a")
    (tmp_path / "secret.yaml").write_text(EXPERIMENT)
    (root / "experiments/orders-db-lost.yaml").unlink()
    (root / "experiments/orders-db-lost.yaml").symlink_to(tmp_path / "secret.yaml")
    assert "leads out of the workspace" in only(root)


def test_a_pipe_does_not_block(tmp_path):
    root = workspace(tmp_path)
    (root / "experiments/orders-db-lost.yaml").unlink()
    os.mkfifo(root / "experiments/orders-db-lost.yaml")
    assert "is not a file" in only(root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path):
    root = workspace(tmp_path)
    (root / "targets.yaml").chmod(0)
    assert any("targets.yaml cannot be read: permission denied" in problem for problem in problems(root))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "drills/lost.yaml: the file is empty"),
        (b"\x00\x01", "drills/lost.yaml: this is a binary file"),
        (b"key: value\n" * 1_000_000, "drills/lost.yaml: the file is too large: 11.0 MB, at most 1.0 MB are read"),
        (b"a: &a [x]\n", "`id` is missing"),
    ],
)
def test_drill_files_that_are_none(tmp_path, data, expected):
    root = workspace(tmp_path, drill=data)
    before = time.monotonic()
    assert expected in problems(root)[0]
    assert time.monotonic() - before < 30


def test_a_targets_file_that_is_not_there(tmp_path):
    root = workspace(tmp_path)
    (root / "targets.yaml").unlink()
    assert only(root).startswith("targets.yaml: there is no file targets.yaml")


def test_experiments_that_chaos_toolkit_rejects(tmp_path):
    wrong = [
        ("title: The orders database is lost\n", "", "experiment requires a title"),
        ("method:\n", "methods:\n", "an experiment requires a method"),
        ("func: exists, arguments: {path: /}}\nrollbacks", "func: exist}\nrollbacks", "does not expose"),
        ("arguments: {path: /}}\nrollbacks", "arguments: {pth: /}}\nrollbacks", "required argument 'path' is missing"),
        ("rollbacks:\n", "  - ref: nobody\nrollbacks:\n", "the method refers to an activity 'nobody'"),
        ("rollbacks:\n", "rollbacks:\n  - ref: nobody\n", "the rollbacks refers to an activity 'nobody'"),
        (
            "method:\n",
            "controls: [{name: c, provider: {type: python, module: no_such_control}}]\nmethod:\n",
            "the control 'c' cannot be loaded",
        ),
    ]
    root = workspace(tmp_path)
    for number, (old, new, _) in enumerate(wrong):
        experiment = f"experiments/wrong-{number}.yaml"
        (root / experiment).write_text(with_line(EXPERIMENT, old, new))
        drill = MINIMAL_DRILL.replace("experiments/orders-db-lost.yaml", experiment)
        (root / f"drills/wrong-{number}.yaml").write_text(drill.replace("id: orders-db-lost", f"id: wrong-{number}"))
    checked = workspaces.Workspace(root).check_all(["drills/lost.yaml", *(f"drills/wrong-{n}.yaml" for n in range(7))])
    assert checked[0].problems == []
    for number, (_, _, expected) in enumerate(wrong):
        said = [str(problem) for problem in checked[number + 1].problems]
        starts = (
            f"drills/wrong-{number}.yaml:5:8: Chaos Toolkit rejects experiments/wrong-{number}.yaml: ",
            f"experiments/wrong-{number}.yaml:",
        )
        assert any(problem.startswith(starts) and expected in problem for problem in said), said


def test_what_chaos_toolkit_rejects_is_told_once_where_it_stands(tmp_path):
    typo = with_line(EXPERIMENT, "lose-host\n    type: action", "lose-host\n    type: actoin")
    line = typo[: typo.index("actoin")].count("\n") + 1
    (found,) = problems(workspace(tmp_path, experiment=typo), ask=None)
    assert found.startswith(f"experiments/orders-db-lost.yaml:{line}:")
    assert "'actoin' is not a supported activity type" in found
    assert "did you mean `action`?" in found


def test_an_experiment_among_the_drills_is_called_one(tmp_path):
    (found,) = problems(workspace(tmp_path, drill=EXPERIMENT), ask=None)
    assert found.startswith("drills/lost.yaml:1:1: this is a Chaos Toolkit experiment, not a drill")
    assert "drillmark experiment drills/lost.yaml" in found


def test_an_activity_that_chaos_toolkit_rejects_is_told_at_its_own_line(tmp_path):
    root = workspace(tmp_path, targets=with_line(TARGETS, "path: /fence}", "pth: /fence}"))
    (found,) = problems(root, ask=None)
    assert found.startswith("targets.yaml:45:9: Chaos Toolkit rejects `fence`: ")


def test_environment_variables_need_not_be_set_to_check(tmp_path, monkeypatch):
    monkeypatch.delenv("ORDERS_DSN", raising=False)
    experiment = EXPERIMENT.replace("since: 2026-12-20", "dsn: {type: env, key: NO_SUCH_VARIABLE}")
    assert problems(workspace(tmp_path, experiment=experiment), ask=None) == []


def test_unknown_keys_of_an_experiment_are_warnings(tmp_path):
    root = workspace(tmp_path, experiment=EXPERIMENT + "sevrity: high\n")
    checked = workspaces.Workspace(root, ask=nothing_against).check(DRILL)
    assert checked.problems == []
    assert "Chaos Toolkit does not know the key `sevrity`" in str(checked.warnings[0])


def test_a_locustfile_that_is_not_python(tmp_path):
    root = workspace(tmp_path)
    (root / "experiments/load/orders.py").write_text("def (:\n")
    assert only(root).startswith("drills/lost.yaml:6:7: experiments/load/orders.py is not Python: line 1: ")


def test_what_is_not_supported_yet_is_refused_by_run(tmp_path):
    root = workspace(tmp_path, drill=FULL_DRILL.replace("mode: drill ", "mode: gameday "))
    checked = workspaces.Workspace(root, ask=nothing_against).check(DRILL)
    assert checked.plan is not None
    with pytest.raises(RefusedError) as caught:
        workspaces.load_plan(DRILL, root=root)
    assert "mode gameday is not supported yet" in str(caught.value)
    assert caught.value.exit_code == 3


def test_the_overlay_of_the_targets_environment_counts_for_its_drills(tmp_path, monkeypatch):
    root = workspace(tmp_path)
    (root / "environments").mkdir()
    (root / "environments/staging.yaml").write_text("guard: {lease: 50s}")

    def lease():
        (checked,) = workspaces.Workspace(root, ask=nothing_against).check_all([DRILL])
        assert checked.problems == []
        return checked.plan.fault.lease_seconds, checked.plan.sources, checked.refusals

    assert lease()[0] == 30.0
    (root / "environments/lab.yaml").write_text("guard: {lease: 40s}")
    seconds, sources, refusals = lease()
    assert (seconds, refusals) == (40.0, [])
    assert "environments/lab.yaml" in sources
    # Another environment's settings may allow what this target's do not.
    monkeypatch.setenv("DRILLMARK_ENVIRONMENT", "staging")
    (refusal,) = lease()[2]
    assert "stands in environment lab, and the settings of staging were asked for" in refusal.message
    monkeypatch.setenv("DRILLMARK_ENVIRONMENT", "stagin")
    with pytest.raises(UsageError, match="there is no environment 'stagin'") as caught:
        lease()
    assert "staging" in caught.value.hint


def test_two_drills_with_one_id(tmp_path):
    root = workspace(tmp_path)
    (root / "drills/twin.yaml").write_text(MINIMAL_DRILL)
    whole = workspaces.Workspace(root, ask=nothing_against)
    first, second = whole.check_all(whole.drills())
    assert first.problems == []
    assert [str(problem) for problem in second.problems] == [
        "drills/twin.yaml:1:5: the id `orders-db-lost` is taken by drills/lost.yaml\n  HINT: ids are unique in a workspace"
    ]


def test_checking_writes_nothing(tmp_path):
    root = workspace(tmp_path)
    before = sorted(path for path in root.rglob("*") if "__pycache__" not in path.parts)
    workspaces.load_plan(DRILL, root=root)
    assert sorted(root.rglob("*")) == before


def test_a_token_that_is_written_out_is_refused_and_not_shown(tmp_path):
    root = workspace(tmp_path, settings="alerts: {token: hunter2-8f2c}\n")
    found = "".join(problems(root))
    assert "drillmark.yaml:1:17: `alerts.token`: a secret does not stand in this file" in found
    assert "8f2c" not in found
    (root / "drillmark.yaml").write_text("alerts: {token: '${ALERTS_TOKEN}'}\n")
    assert workspaces.load_settings(root).alerts.token == "${ALERTS_TOKEN}"
