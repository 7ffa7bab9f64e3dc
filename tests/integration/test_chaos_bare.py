"""`drillmark experiment`: a bare experiment is a run like any other, and ends as `docs/reference/deviations.md` says."""

from __future__ import annotations

import contextlib
import http.server
import json
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from bare_runs import begin, breaks_and_mends, drillmark, journal, play, result, verdicts
from chaos_helpers import PATIENCE_SECONDS, control, experiment, probe, python, shell
from drillmark import clock
from drillmark.chaos import undo
from drillmark.engine import undoing
from drillmark.engine.early import make_directory
from drillmark.engine.paths import RunPaths
from drillmark.guard.acting import act
from drillmark.undo import Origin, Undoable, UndoState, write, write_epoch
from waiting import until
from workspaces import processes_of


def test_it_is_a_run_like_any_other(tmp_path, monkeypatch):
    what = breaks_and_mends(
        tmp_path,
        shell("say", "echo $THE_TOKEN"),
        secrets={"api": {"token": {"type": "env", "key": "THE_TOKEN"}}},
        probes=[probe("well", value=True)],
    )
    monkeypatch.setenv("THE_TOKEN", "s3cr3t-77f1")
    code, said = play(tmp_path, what)
    assert code == 0, said
    assert "PASSED" in said
    assert not (tmp_path / "broken").exists()
    kept = journal(tmp_path)
    assert (kept["status"], kept["deviated"]) == ("completed", False)
    assert [run["activity"]["name"] for run in kept["run"] + kept["rollbacks"]] == ["break", "say", "mend"]
    assert kept["run"][1]["output"]["stdout"] == "[redacted]\n"
    assert stat.S_IMODE((tmp_path / "journal.json").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {".drillmark", "journal.json", "x.json"}
    found = result(tmp_path)
    assert verdicts(found) == dict.fromkeys(("steady_state", "experiment", "actions", "undo"), "passed")
    assert (found["target"], found["owner"], found["mode"]) == ("x.json", "tester", "experiment")
    code, said = drillmark(tmp_path, "verify")
    assert code == 0, said
    code, said = drillmark(tmp_path, "list")
    assert "x.json" in said, said
    assert not subprocess.run(["grep", "-r", "s3cr3t", str(tmp_path)], capture_output=True, check=False).stdout


def test_what_chaos_run_lets_pass_fails(tmp_path):
    method = [shell("refused", "exit 3")]
    probes = [probe("well", value=True)]
    code, said = play(tmp_path, experiment(method, [shell("mend", "exit 4")], probes=probes))
    assert code == 1, said
    assert journal(tmp_path)["status"] == "completed"
    assert verdicts(result(tmp_path)) == {
        "steady_state": "passed",
        "experiment": "passed",
        "actions": "failed",
        "undo": "failed",
    }
    _, said = drillmark(tmp_path, "gaps", "--json")
    filed = {gap["objective"]: gap for gap in json.loads(said)}
    assert set(filed) == {"actions", "undo"}
    assert (filed["undo"]["target"], filed["undo"]["owner"]) == ("x.json", "tester")
    # Missed in a check during the method, and well again at its end.
    once = probe("well", "is_there", tolerance=False, path="missing")
    method = [shell("break", "touch missing; sleep 1; rm missing")]
    code, said = play(
        tmp_path,
        experiment(method, probes=[once], title="during"),
        "--hypothesis-strategy=continuously",
        "--hypothesis-frequency=0.1",
    )
    assert code == 1, said
    assert "missed during the method" in said
    assert (journal(tmp_path)["status"], journal(tmp_path)["deviated"]) == ("completed", False)


def test_an_interrupt_is_undone(tmp_path):
    run = begin(tmp_path, breaks_and_mends(tmp_path, shell("long", "touch begun; sleep 600")))
    until((tmp_path / "begun").exists, seconds=PATIENCE_SECONDS)
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 3, said
    assert "SIGINT" in said
    assert not (tmp_path / "broken").exists()
    kept = journal(tmp_path)
    assert kept["status"] == "interrupted"
    assert [run["activity"]["name"] for run in kept["run"]] == ["break", "long"]
    assert [(run["activity"]["name"], run["status"]) for run in kept["rollbacks"]] == [("mend", "succeeded")]


@contextlib.contextmanager
def kept_alive(folder: Path) -> Iterator[None]:
    """Renew the lease of the run that was lost until it is taken up: a guard is first where the machine is busy."""
    (lost,) = [
        path.parent for path in (folder / ".drillmark").rglob("lease") if not (path.parent / "result.json").exists()
    ]
    epoch, body = (lost / "epoch").read_text(), json.loads((lost / "lease").read_text())
    over = threading.Event()

    def renew() -> None:
        while not over.wait(1) and (lost / "epoch").read_text() == epoch:
            new = lost / "lease.renewed"
            new.write_text(json.dumps(body | {"renewed_ns": clock.monotonic_ns()}))
            new.replace(lost / "lease")

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def end_by_command_line(folder: Path, words: str) -> list[int]:
    """As `pkill -9 -f` does, but only what works in this folder."""
    found = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if words in " ".join(process.info["cmdline"] or []) and process.info["cwd"] == str(folder)
    ]
    for process in found:
        process.kill()
    return [process.pid for process in found]


def test_the_journal_is_there_while_it_grows_and_the_guard_undoes(tmp_path):
    run = begin(tmp_path, breaks_and_mends(tmp_path, shell("long", "touch begun; sleep 600")))
    until((tmp_path / "begun").exists, seconds=PATIENCE_SECONDS)
    (directory,) = tmp_path.glob(".drillmark/runs/*-x-*")
    beside = processes_of(str(directory))
    # Whoever ends the runner by its command line does not end its guard with it.
    killed = end_by_command_line(tmp_path, "drillmark experiment")
    run.communicate()
    assert killed == [run.pid]
    assert ("drillmark-guard" in str(beside), "drillmark-chaos" in str(beside)) == (True, True), beside
    kept = journal(tmp_path)
    assert kept["status"] == "interrupted"
    assert (kept["run"][0]["activity"]["name"], kept["run"][0]["status"]) == ("break", "succeeded")
    assert {"start", "end", "duration", "steady_states", "rollbacks", "deviated"} <= set(kept)
    # Nobody resumes it: the guard's lease of 30 s runs out.
    until(lambda: not (tmp_path / "broken").exists(), seconds=2 * PATIENCE_SECONDS)
    code, said = drillmark(tmp_path, "resume")
    assert code == 3, said
    assert "guard" in said
    assert verdicts(result(tmp_path))["undo"] == "passed"


def test_a_lost_run_is_resumed(tmp_path):
    below = tmp_path / "below"
    below.mkdir()
    what = breaks_and_mends(tmp_path, shell("long", "touch begun; sleep 600"))
    what["rollbacks"].append(shell("where", "pwd > undone-in"))
    what["rollbacks"].append(shell("what", "echo ${who} $FROM_FILE ${token} > undone-as"))
    what["rollbacks"][-1]["provider"]["secrets"] = ["api"]
    what["configuration"] = {"who": "nobody"}
    what["secrets"] = {"api": {"token": "written-out"}}
    (tmp_path / "values.env").write_text("FROM_FILE=a-file\n")
    run = begin(tmp_path, what, "--var", "who=me", "--var-file", "values.env")
    until((tmp_path / "begun").exists, seconds=PATIENCE_SECONDS)
    run.kill()
    run.communicate()
    with kept_alive(tmp_path):
        code, said = drillmark(tmp_path, "list")
        assert "lost: resume it" in said, said
        code, said = drillmark(below, "resume")
    assert code == 4, said
    assert not (tmp_path / "broken").exists()
    assert (tmp_path / "undone-in").read_text().strip() == str(tmp_path)
    assert (tmp_path / "undone-as").read_text() == "me a-file written-out\n"
    kept = subprocess.run(["grep", "-r", "written-out", str(tmp_path / ".drillmark")], capture_output=True, check=False)
    assert not kept.stdout
    assert [run["activity"]["name"] for run in journal(tmp_path)["rollbacks"]] == ["mend", "where", "what"]


def test_one_run_at_a_time(tmp_path):
    what = breaks_and_mends(tmp_path, shell("long", "touch begun; sleep 600"), configuration={"on": "a"})
    run = begin(tmp_path, what)
    until((tmp_path / "begun").exists, seconds=PATIENCE_SECONDS)
    code, said = drillmark(tmp_path, "experiment", "x.json")
    assert (code, "busy" in said) == (3, True), said
    # With another target it is another experiment.
    code, said = drillmark(tmp_path, "experiment", "x.json", "--var", "on=b", "--dry", "activities")
    assert code == 4, said
    run.kill()
    run.communicate()
    with kept_alive(tmp_path):
        code, said = drillmark(tmp_path, "experiment", "x.json")
        assert (code, "may still be under the fault" in said) == (3, True), said
        (tmp_path / "begun").unlink()
        code, said = drillmark(tmp_path, "list", "--json")
        lost = next(row["run"] for row in json.loads(said) if row["state"] == "lost")
        code, said = drillmark(tmp_path, "resume", lost)
    assert code == 4, said
    assert not (tmp_path / "broken").exists()


def test_an_abort_is_obeyed(tmp_path):
    run = begin(tmp_path, breaks_and_mends(tmp_path, shell("long", "touch begun; sleep 600")), "--json")
    until((tmp_path / "begun").exists, seconds=PATIENCE_SECONDS)
    code, said = drillmark(tmp_path, "abort", "--reason", "enough")
    assert code == 0, said
    said, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 3, said
    assert "enough" in said
    assert not (tmp_path / "broken").exists()


def test_a_strategy_is_followed_at_the_end(tmp_path):
    code, said = play(tmp_path, breaks_and_mends(tmp_path), "--rollback-strategy=never")
    assert code == 0, said
    assert (tmp_path / "broken").exists()
    assert journal(tmp_path)["rollbacks"] == []
    assert verdicts(result(tmp_path))["undo"] == "not_applicable"
    code, said = play(tmp_path, breaks_and_mends(tmp_path), "--rollback-strategy=deviated")
    assert code == 0, said
    assert (tmp_path / "broken").exists()
    missed = probe("gone", "is_there", tolerance=False, path=str(tmp_path / "broken"))
    options = ("--rollback-strategy=deviated", "--hypothesis-strategy=after-method-only")
    code, said = play(tmp_path, breaks_and_mends(tmp_path, probes=[missed]), *options)
    assert code == 1, said
    assert not (tmp_path / "broken").exists()
    # Cut short, it is undone whatever it says.
    run = begin(
        tmp_path, breaks_and_mends(tmp_path, shell("long", "touch begun; sleep 600")), "--rollback-strategy=never"
    )
    until((tmp_path / "begun").exists, seconds=PATIENCE_SECONDS)
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 3, said
    assert not (tmp_path / "broken").exists()


def test_a_dry_run_proves_nothing(tmp_path):
    what = breaks_and_mends(tmp_path, probes=[probe("well", value=True)])
    code, said = play(tmp_path, what, "--dry=actions")
    assert (code, "UNKNOWN" in said) == (4, True), said
    assert not (tmp_path / "broken").exists()
    assert journal(tmp_path)["experiment"]["dry"] == "actions"
    code, said = play(tmp_path, {**what, "method": [{**what["method"][0], "pauses": {"after": 60}}]}, "--dry=pause")
    assert code == 0, said
    _, said = drillmark(tmp_path, "gaps", "--all", "--json")
    assert json.loads(said) == []


def test_a_steady_state_is_passed_only_where_it_was_asked_for_and_met(tmp_path):
    seen = {**shell("well", f"touch {tmp_path}/seen", kind="probe"), "tolerance": 0}
    waits = shell("waits", f"while [ ! -e {tmp_path}/seen ]; do sleep 0.05; done")
    for strategy, verdict in (("skip", "not_applicable"), ("before", "passed"), ("during", "passed")):
        what = experiment([shell("nothing", "true") if strategy == "skip" else waits], [], probes=[seen])
        what["runtime"] = {"hypothesis": {"strategy": strategy if strategy == "skip" else f"{strategy}-method-only"}}
        code, said = play(tmp_path, what)
        assert code == 0, said
        assert verdicts(result(tmp_path))["steady_state"] == verdict, strategy
        (tmp_path / "seen").unlink(missing_ok=True)


def test_bad_input_is_told_and_leaves_nothing(tmp_path):
    no_control = experiment(
        [python("a", "give")], controls=[{**control(), "provider": {"type": "python", "module": "not_there"}}]
    )
    (tmp_path / "guards.json").write_text(json.dumps({"it": {"provider": {"type": "python", "module": "not_there"}}}))
    cases: list[tuple[dict, tuple[str, ...], str]] = [
        ({"title": "t", "description": "d"}, (), "requires a method"),
        (no_control, (), "the control 'c' cannot be loaded"),
        (experiment([]), ("--control-file=guards.json",), "the control 'it' cannot be loaded"),
        (experiment([]), ("--journal-path=not/there.json",), "--journal-path"),
        (experiment([]), ("--var", "x:int=one"), "'one' is no int"),
        (experiment([], configuration={"a": {"type": "env", "key": "NOT_SET_ANYWHERE"}}), (), "NOT_SET_ANYWHERE"),
    ]  # fmt: skip
    for what, options, word in cases:
        code, said = play(tmp_path, what, *options)
        assert (code, word in said) == (2, True), said
    code, said = drillmark(tmp_path, "experiment", "not-there.yaml")
    assert (code, "not-there.yaml" in said) == (2, True), said
    assert not list(tmp_path.glob(".drillmark/runs/*"))
    assert not (tmp_path / "journal.json").exists()


def test_it_is_loaded_from_an_address_with_controls_settings_and_secrets_of_files(tmp_path):
    token = "hush-5b1f7e"
    what = breaks_and_mends(tmp_path, secrets={"api": {"token": {"type": "env", "key": "HOME"}}})
    what["method"] = [shell("break", f"touch {tmp_path}/broken"), shell("say", "echo ${greeting} ${token}")]
    what["configuration"] = {"greeting": "none"}
    what["method"][1]["provider"]["secrets"] = ["api"]
    body = json.dumps(what).encode()
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(f"{self.path} {self.headers.get('Authorization')}")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(told["name"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{server.server_port}"
    settings = {
        "auths": {place: {"type": "bearer", "value": "let-me-in"}},
        "notifications": [{"type": "http", "url": f"http://{place}/told"}],
        "controls": {"noted": {"provider": {"type": "python", "module": "chaos_functions"}}},
    }
    (tmp_path / "settings.yaml").write_text(json.dumps(settings))
    values = {"configuration": {"greeting": "hello"}, "secrets": {"api": {"token": token}}}
    (tmp_path / "values.json").write_text(json.dumps(values))
    try:
        code, said = drillmark(
            tmp_path, "experiment", f"http://{place}/e.json", "--settings=settings.yaml", "--var-file=values.json"
        )
    finally:
        server.shutdown()
        server.server_close()
    assert code == 0, said
    assert asked == ["/e.json bearer let-me-in", "run-started", "run-completed"]
    assert journal(tmp_path)["run"][1]["output"]["stdout"] == "hello [redacted]\n"
    (tmp_path / "values.json").unlink()
    assert not subprocess.run(["grep", "-r", token, str(tmp_path)], capture_output=True, check=False).stdout


def test_rollbacks_that_say_nothing_have_an_hour(tmp_path, monkeypatch):
    slow = shell("slow", "sleep 3")
    declared = {**shell("declared", "sleep 0.3"), "timeout": 9000}
    bare = Undoable("x", experiment([], [slow, declared]), origin=Origin(str(tmp_path)))
    drills = Undoable("x", bare.experiment)
    assert undoing.undo_seconds(UndoState("run", (bare,))) == 3600 + 9000
    assert undoing.undo_seconds(UndoState("run", (drills,))) == 60 + 9000
    # What the limits are, in small: who undoes it makes no difference.
    monkeypatch.setattr(undo, "ROLLBACK_SECONDS", 0.2)
    monkeypatch.setattr(undo, "BARE_ROLLBACK_SECONDS", PATIENCE_SECONDS)
    for undoable, ends in ((bare, "succeeded"), (drills, "timed_out")):
        expected = {"slow": ends, "declared": "succeeded"}
        paths = RunPaths(tmp_path / ends)
        make_directory(paths)
        assert {one.name: str(one.status) for one in undoing.undo_left(paths, [undoable])} == expected
        write_epoch(paths.epoch, 1)
        write(paths.undo, UndoState("run", (replace(undoable, unlogged=True),)))
        assert act(paths, "run", lambda: "lost")
        done = [json.loads(line) for line in paths.guard_log.read_text().splitlines()]
        assert {one["name"]: one["status"] for one in done if one["what"] == "rollback"} == expected, done
