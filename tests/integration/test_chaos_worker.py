"""Single activities in a real warm child: providers, tolerances, time-outs, and what activities do to a process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

import http_servers
from chaos_helpers import FUNCTIONS, control, experiment, lives, probe, python, shell
from drillmark.chaos import ActivityWorker, ChaosError, resolve, validate, validate_activity
from drillmark.chaos.values import LIMIT_BYTES
from drillmark.model.entry import Status
from waiting import until


@contextlib.contextmanager
def _worker(tmp_path, configuration=None, secrets=None, **others):
    worker = ActivityWorker(
        tmp_path,
        configuration or {},
        secrets or {},
        log_path=tmp_path / "worker.log",
        environment=FUNCTIONS,
        **others,
    )
    with worker:
        yield worker


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with _worker(tmp_path_factory.mktemp("worker"), {"two": 2, "home": {"type": "env", "key": "HOME"}}) as one:
        yield one


@contextlib.contextmanager
def _server():
    class Answer(http_servers.Handler):
        def do_GET(self):
            body = json.dumps({"source": "database"}).encode()
            self.answer(int(self.path[1:4]), body, Content_Type="application/json")

        do_POST = do_GET

    with http_servers.at(Answer) as url:
        yield url


def test_the_three_providers(worker):
    assert worker.run(python("p", "give", value={"a": [1]}), timeout_seconds=60).output == {"a": [1]}
    echoed = worker.run(shell("s", "echo ${two}"), timeout_seconds=60)
    assert echoed.output == {"status": 0, "stdout": "2\n", "stderr": ""}
    with _server() as url:
        got = worker.run(
            {"type": "probe", "name": "h", "provider": {"type": "http", "url": f"{url}/200"}}, timeout_seconds=60
        )
        assert got.output["status"] == 200
        assert got.output["body"] == {"source": "database"}
        assert got.good
        assert got.tolerance_met is None
        refused = {"type": "action", "name": "h", "provider": {"type": "http", "url": f"{url}/403", "method": "POST"}}
        outcome = worker.run(refused, timeout_seconds=60)
        assert (outcome.status, outcome.error) == (Status.FAILED, "the answer has the HTTP status 403")
        assert outcome.output["status"] == 403


@pytest.mark.parametrize(
    ("tolerance", "value", "met"),
    [
        (True, True, True),
        (True, False, False),
        (5, 5, True),
        ([1, 3], 2, True),
        ([1, 3], 4, False),
        (["a", "b", "c"], "b", True),
        ("x${two}", "x2", True),
        ({"type": "regex", "pattern": "^ok"}, "ok then", True),
        ({"type": "regex", "pattern": "^ok"}, "not ok", False),
        ({"type": "range", "range": [1, 2]}, "1.5", True),
        ({"type": "jsonpath", "path": "$.a", "expect": [1]}, {"a": 1}, True),
        ({"type": "jsonpath", "path": "$.a", "expect": [2]}, {"a": 1}, False),
        (
            {
                "type": "probe",
                "name": "t",
                "provider": {"type": "python", "module": "chaos_functions", "func": "give", "arguments": {}},
            },
            True,
            True,
        ),
    ],
)
def test_tolerances_are_chaos_toolkits(worker, tolerance, value, met):
    activity = probe("p", "give", tolerance=tolerance, value=value)
    for _ in range(2):  # chaoslib writes the value into a tolerance that is a probe
        outcome = worker.run(activity, timeout_seconds=60)
        assert outcome.status is Status.SUCCEEDED
        assert outcome.tolerance_met is met
        assert outcome.good is met


def test_a_tolerance_that_cannot_be_checked_is_not_met_and_nothing_is_said(worker):
    outcome = worker.run(probe("p", "give", tolerance=[1, 3], value=None), timeout_seconds=60)
    assert outcome.error.startswith("the tolerance could not be checked: TypeError")
    assert not outcome.good
    assert outcome.answer is None


def test_what_a_probe_says_is_yes_or_no_or_nothing(worker):
    def asked(activity):
        outcome = worker.run(activity, timeout_seconds=60)
        return outcome.answer, outcome.silence

    assert asked(probe("p", "give", tolerance=True, value=True)) == (True, "")
    assert asked(probe("p", "give", tolerance=True, value=False)) == (False, "")
    assert asked(python("p", "fail", message="refused")) == (None, "p could not be asked: refused")
    without = asked(python("p", "give", value=False))
    assert without == (None, "p could not be asked: it has no tolerance, so no answer of it says anything")
    tolerance = {"type": "regex", "target": "stdout", "pattern": "t"}
    program = {"type": "process", "path": "sh", "arguments": ["-c", "echo no connection >&2; exit 2"]}
    broken = {"name": "p", "type": "probe", "tolerance": tolerance, "provider": program}
    assert asked(broken) == (None, "p could not be asked: the process ended with the status 2: no connection")


def test_failures_are_outcomes_and_the_worker_goes_on(worker):
    before = worker.identity
    for activity, error in [
        (python("p", "fail", message="no backup is there"), "no backup is there"),
        (python("p", "crash", message="oh"), "ValueError: oh"),
        (python("p", "leave"), "SystemExit: 3"),
        (python("p", "nowhere"), "AttributeError: module 'chaos_functions' has no attribute 'nowhere'"),
        ({"type": "action", "name": "p", "provider": {"type": "process", "path": "/no/such"}}, "TypeError"),
        ({"type": "action", "name": "p", "provider": {"type": "http", "url": "nowhere"}}, "MissingSchema"),
        (shell("p", "echo no >&2; exit 2"), "the process ended with the status 2: no"),
        ({"ref": "elsewhere"}, "could not find referenced activity 'elsewhere'"),
    ]:
        outcome = worker.run(activity, timeout_seconds=60)
        assert outcome.status is Status.FAILED
        assert error in outcome.error
        assert not outcome.good
    assert worker.run(python("p", "give", value=1), timeout_seconds=60).output == 1
    assert worker.identity == before


def test_a_time_out_kills_all_that_the_activity_started(tmp_path):
    mark = tmp_path / "mark"
    with _worker(tmp_path) as worker:
        worker.run(python("warm", "give"), timeout_seconds=60)
        outcome = worker.run(shell("slow", f"sleep 600 & echo $! > '{mark}'; wait"), timeout_seconds=1.5)
        assert outcome.status is Status.TIMED_OUT
        assert outcome.error == "it took longer than 1.5 s and was killed"
        took = (outcome.ended.monotonic_ns - outcome.started.monotonic_ns) / 1e9
        assert 1.5 <= took < 60, "it stood until what it started was over"
        until(lambda: not lives(int(mark.read_text())))
        spun = worker.run(python("busy", "spin", seconds=600, mark=str(mark)), timeout_seconds=0.5)
        assert spun.status is Status.TIMED_OUT
        assert worker.run(python("after", "give", value=1), timeout_seconds=60).output == 1


def test_poll_never_waits_and_cancel_ends_it(tmp_path):
    with _worker(tmp_path) as worker:
        assert worker.poll() is None
        worker.start(python("slow", "rest", seconds=600), timeout_seconds=None)
        took = []
        for _ in range(20):
            begin = time.monotonic()
            assert worker.poll() is None
            took.append(time.monotonic() - begin)
        # One that waits does so each time; a busy machine holds up some of them, not the quickest of twenty.
        assert min(took) < 0.01, took
        with pytest.raises(RuntimeError):
            worker.start(python("other", "give"), timeout_seconds=None)
        first = worker.identity
        outcome = worker.cancel()
        assert outcome is not None
        assert outcome.status is Status.INDETERMINATE
        assert worker.poll() is None
        assert first is not None
        assert not lives(first.pid)
        assert worker.run(python("p", "give", value=2), timeout_seconds=60).output == 2
        assert worker.identity != first


def test_a_worker_that_dies_leaves_an_indeterminate_outcome(tmp_path):
    with _worker(tmp_path) as worker:
        worker.run(python("warm", "give"), timeout_seconds=60)
        worker.start(python("slow", "rest", seconds=600, mark=str(tmp_path / "mark")), timeout_seconds=None)
        until((tmp_path / "mark").exists)
        assert worker.identity is not None
        os.kill(worker.identity.pid, signal.SIGKILL)
        outcome = worker.wait()
        assert outcome.status is Status.INDETERMINATE
        assert worker.run(python("p", "give", value=3), timeout_seconds=60).output == 3


def test_noise_does_not_reach_the_answers_but_the_log(tmp_path):
    with _worker(tmp_path) as worker:
        outcome = worker.run(python("p", "say", out="to out", err="to err", raw='{"id": 1}'), timeout_seconds=60)
        assert outcome.status is Status.SUCCEEDED
    log = (tmp_path / "worker.log").read_text()
    for text in ("to out\n", "to err\n", '{"id": 1}\n', "to out from below\n"):
        assert text in log


def test_huge_outputs_are_cut_and_say_so(worker):
    outcome = worker.run(python("p", "huge", characters=5_000_000), timeout_seconds=60)
    assert outcome.status is Status.SUCCEEDED
    assert len(outcome.output) < LIMIT_BYTES
    assert outcome.output.endswith("[cut: 5000000 bytes in all, the first 32768 are shown]")
    cut = worker.run(shell("p", "head -c 300000 /dev/zero | tr '\\0' y"), timeout_seconds=60).output
    assert cut["status"] == 0
    assert "[cut: 300000 bytes" in cut["stdout"]


def test_the_value_and_not_its_cut_is_held_against_the_tolerance(worker):
    tolerance = {"type": "regex", "pattern": "^x{200000}$"}
    assert worker.run(probe("p", "huge", tolerance=tolerance, characters=200_000), timeout_seconds=60).good


def test_environment_variables_and_attempt(tmp_path):
    with _worker(tmp_path, {"mine": 1}, variables={"drillmark_run": "r7"}) as worker:
        outcome = worker.run(python("p", "drillmark_environment"), timeout_seconds=60, attempt=3)
        assert outcome.output == {
            "DRILLMARK_RUN": "r7",
            "DRILLMARK_RUN_DIR": str(tmp_path),
            "DRILLMARK_PROGRESS": str(tmp_path / "progress.jsonl"),
            "DRILLMARK_ATTEMPT": "3",
        }
        ask = python("p", "give", value="${drillmark_fault_begin}")
        assert worker.run(ask, timeout_seconds=60).output == "${drillmark_fault_begin}"
        worker.variables["drillmark_fault_begin"] = "2026-01-01T00:00:00.000000+00:00"
        assert worker.run(ask, timeout_seconds=60).output == "2026-01-01T00:00:00.000000+00:00"
        got = worker.run(python("p", "configuration_of", key="mine"), timeout_seconds=60)
        assert got.output == 1


def test_an_activity_may_bring_its_own_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED_TOKEN", "tok-8f3a9c77d1")
    with _worker(tmp_path, {"who": "worker"}) as worker:
        ask = shell("p", "echo ${who} ${token}")
        secrets = {"s": {"token": {"type": "env", "key": "PLANTED_TOKEN"}}}
        theirs = worker.run(ask, timeout_seconds=60, configuration={"who": "experiment"}, secrets=secrets)
        assert theirs.output["stdout"] == "experiment [redacted]\n"
        assert worker.run(ask, timeout_seconds=60).output["stdout"] == "worker\n"


def test_the_parents_death_kills_the_workers_group(tmp_path):
    mark = tmp_path / "mark"
    script = tmp_path / "parent.py"
    script.write_text(
        "from pathlib import Path\n"
        "from drillmark.chaos import ActivityWorker\n"
        f"worker = ActivityWorker(Path({str(tmp_path)!r}), {{}}, {{}}, log_path=Path({str(tmp_path / 'log')!r}))\n"
        f"worker.run({shell('slow', f'echo $$ > {mark}; sleep 600')!r}, timeout_seconds=None)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    until(lambda: mark.exists() and mark.read_text().strip())
    below = int(mark.read_text())
    parent.kill()
    parent.wait()
    until(lambda: not lives(below))


def test_a_configuration_that_cannot_be_loaded_fails_the_activity(tmp_path):
    with _worker(tmp_path, {"k": {"type": "env", "key": "NO_SUCH_VARIABLE"}}) as worker:
        outcome = worker.run(python("p", "give"), timeout_seconds=60)
        assert outcome.status is Status.FAILED
        assert "NO_SUCH_VARIABLE" in outcome.error


def test_a_secret_that_is_not_there_fails_only_what_may_use_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_PASSWORD", "pass-word-1234")
    secrets = {
        "here": {"password": {"type": "env", "key": "SOME_PASSWORD"}},
        "elsewhere": {"dsn": {"type": "env", "key": "NO_SUCH_VARIABLE"}},
    }
    named = python("p", "give", secrets=["elsewhere"])
    substituted = {"type": "probe", "name": "p", "provider": {"type": "http", "url": "http://127.0.0.1:1/${dsn}"}}
    handed_to_a_control = {**python("p", "give"), "controls": [control()]}
    with _worker(tmp_path, {}, secrets) as worker:
        for fine in (python("p", "give", value=1), python("p", "give", secrets=["here"], value=1)):
            outcome = worker.run(fine, timeout_seconds=60)
            assert "NO_SUCH_VARIABLE" not in outcome.error, outcome
        for wrong in (named, substituted, handed_to_a_control):
            outcome = worker.run(wrong, timeout_seconds=60)
            assert outcome.status is Status.FAILED
            assert "NO_SUCH_VARIABLE" in outcome.error, wrong
    unused = experiment([], secrets=secrets)
    assert resolve(unused, {}, environment=FUNCTIONS)["secrets"] == secrets
    with pytest.raises(ChaosError, match="NO_SUCH_VARIABLE"):
        resolve(experiment([named], secrets=secrets), {}, environment=FUNCTIONS)


def test_controls_of_an_activity(tmp_path):
    told = tmp_path / "told"
    with _worker(tmp_path) as worker:
        worker.run({**python("p", "give"), "controls": [control(path=str(told))]}, timeout_seconds=60)
        assert told.read_text() == "before p\nafter p\n"
        missing = {"name": "c", "provider": {"type": "python", "module": "no_such_module"}}
        outcome = worker.run(
            {**python("p", "note", path=str(tmp_path / "x")), "controls": [missing]}, timeout_seconds=60
        )
        assert outcome.status is Status.FAILED
        assert "the control 'c' cannot be loaded" in outcome.error
        assert not (tmp_path / "x").exists()


def test_a_server_that_a_recovery_started_outlives_the_worker(tmp_path):
    mark = tmp_path / "mark"
    with _worker(tmp_path) as worker:
        worker.run(python("restore", "start_server", mark=str(mark)), timeout_seconds=60)
    pid = int(mark.read_text())
    try:
        time.sleep(0.5)
        assert lives(pid), "closing the worker killed the recovered service"
    finally:
        os.kill(pid, signal.SIGKILL)


def test_the_stamps_are_the_childs(worker):
    outcome = worker.run(python("p", "rest", seconds=0.3), timeout_seconds=60)
    assert 0.3 <= (outcome.ended.monotonic_ns - outcome.started.monotonic_ns) / 1e9 < 15
    assert outcome.as_json()["good"] is True
    json.dumps(outcome.as_json())


def test_resolve_gives_static_values_and_keeps_references_to_secrets(monkeypatch):
    monkeypatch.setenv("SOME_HOST", "db.example")
    monkeypatch.setenv("SOME_PASSWORD", "pass-word-1234")
    whole = experiment(
        [],
        configuration={
            "host": {"type": "env", "key": "SOME_HOST"},
            "port": {"type": "env", "key": "SOME_PORT", "default": "5432", "env_var_type": "int"},
            "password": {"type": "env", "key": "SOME_PASSWORD"},
            "victim": {**python("v", "give", kind="probe", value="pod-${host}")},
            "token": {**python("t", "give", kind="probe", value="tok-0123456789")},
            "plain": "value",
        },
        secrets={"s": {"p": {"type": "env", "key": "SOME_PASSWORD"}}},
    )
    resolved = resolve(whole, {"drillmark_run": "r", "drillmark_fault_begin": None}, environment=FUNCTIONS)
    assert resolved["configuration"] == {
        "host": "db.example",
        "port": 5432,
        "password": {"type": "env", "key": "SOME_PASSWORD"},
        "victim": "pod-db.example",
        "token": whole["configuration"]["token"],
        "plain": "value",
        "drillmark_run": "r",
    }
    assert resolved["secrets"] == whole["secrets"]
    assert "pass-word-1234" not in json.dumps(resolved)


def test_resolve_refuses_what_it_cannot_know():
    for configuration in (
        {"victim": python("v", "crash", kind="probe")},
        {"host": {"type": "env", "key": "NO_SUCH_VARIABLE"}},
    ):
        with pytest.raises(ChaosError, match="cannot be resolved"):
            resolve(experiment([], configuration=configuration), {}, environment=FUNCTIONS)


def test_validate_names_every_problem_at_once():
    whole = experiment(
        [python("a", "nowhere"), {**python("b", "give"), "dry": "actions"}, {"ref": "nope"}],
        [{"type": "action", "name": "c", "provider": {"type": "process", "path": "/no/such"}}],
        probes=[{**python("d", "give", kind="probe"), "tolerance": {"type": "other"}}],
        configuration={"k": {"type": "env", "key": "NO_SUCH_VARIABLE", "env_var_type": "int"}},
        secrets={"s": {"p": {"type": "env", "key": "NO_SUCH_VARIABLE"}, "token": "tok-0123456789"}},
        controls=[{"name": "c", "provider": {"type": "python", "module": "no_such_module"}}],
    )
    problems = "\n".join(validate(whole, "x.yaml", environment=FUNCTIONS))
    for part in (
        "does not expose a function called 'nowhere'",
        "'b' says 'dry'",
        "'nope' that does not exist",
        "path '/no/such' cannot be found",
        "tolerance type 'other' is unsupported",
        "the control 'c' cannot be loaded",
        "the secret 's.token' is written out",
    ):
        assert part in problems
    assert "NO_SUCH_VARIABLE" not in problems
    assert "tok-0123456789" not in problems


def test_validate_lets_good_ones_pass():
    assert validate(experiment([python("a", "give")], probes=[probe("p")]), "x.yaml", environment=FUNCTIONS) == []
    assert validate_activity(probe("p"), "p", environment=FUNCTIONS) == []
    assert validate_activity(python("p", "nowhere"), "p", environment=FUNCTIONS) != []
