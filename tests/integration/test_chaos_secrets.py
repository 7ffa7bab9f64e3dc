"""Secrets are planted wherever one can stand; afterwards everything that was left is searched for them."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest

import http_servers
from chaos_helpers import FUNCTIONS, Followed, experiment, probe, python, shell
from drillmark.chaos import ActivityWorker, What, resolve, undo
from waiting import until

ENVIRONMENT = {
    "PLANTED_DSN": "postgresql://orders:dsn-Pa55-word@127.0.0.1:5/orders",
    "PLANTED_TOKEN": "tok-8f3a9c77d1",
    "PLANTED_KEY": "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA75\nq8/pLtZ0OaQ2mWcXsl\n-----END KEY-----",
    "PLANTED_ODD": 'o\'dd "sec\\ret" é&=% 17',
    "PLANTED_BY_NAME_API_KEY": "ak-5551203942",
    "PLANTED_CONFIGURATION": "cfg-77120-hidden",
}
LITERAL = "lit-40404-hidden"
SECRETS = {
    "db": {"dsn": {"type": "env", "key": "PLANTED_DSN"}, "literal": LITERAL},
    "web": {
        "token": {"type": "env", "key": "PLANTED_TOKEN"},
        "pem": {"type": "env", "key": "PLANTED_KEY"},
        "odd": {"type": "env", "key": "PLANTED_ODD"},
    },
}
CONFIGURATION = {
    "password": {"type": "env", "key": "PLANTED_CONFIGURATION"},
    "dynamic": {
        "name": "dynamic",
        "type": "probe",
        "provider": {
            "type": "python",
            "module": "chaos_functions",
            "func": "give",
            "arguments": {"value": "dyn ${token}"},
        },
    },
}
# What must be found nowhere: the values, and the parts and encodings by which they could be read.
PLANTED = {
    **ENVIRONMENT,
    "password within the DSN": "dsn-Pa55-word",
    "line of the key": "q8/pLtZ0OaQ2mWcXsl",
    "literal": LITERAL,
    "token in base64": base64.b64encode(b"user:tok-8f3a9c77d1").decode()[8:-4],
}


@pytest.fixture
def address():
    class Echo(http_servers.Handler):
        def do_GET(self):
            said = self.headers.get("Authorization", "")
            self.answer(500 if self.path == "/bad" else 200, str(self.headers).encode(), X_Echo=said)

    with http_servers.at(Echo) as url:
        yield url


def _leaks(how, name="token"):
    return python(f"{how} {name}", "leak", secrets=["db", "web"], which=name, how=how)


def _activities(address):
    header = {"Authorization": "Bearer ${token}"}
    return [
        *[_leaks(how) for how in ("output", "exception", "failure", "log", "print", "base64")],
        *[_leaks(how, name) for how in ("output", "exception", "print") for name in ("dsn", "pem", "odd", "literal")],
        shell("argument", "echo ${token} ${password}; echo ${dynamic} >&2"),
        {"type": "probe", "name": "header", "provider": {"type": "http", "url": f"{address}/x", "headers": header}},
        {"type": "action", "name": "bad", "provider": {"type": "http", "url": f"{address}/bad", "headers": header}},
        {
            "type": "action",
            "name": "url",
            "provider": {"type": "http", "url": "http://x:${token}@127.0.0.1:9/${token}"},
        },
        {"type": "action", "name": "no url", "provider": {"type": "http", "url": "${token}"}},
        python("environment", "environment") | {"provider": _environment_provider()},
        python("configuration", "configuration_of", key="dynamic"),
        {**_leaks("print"), "background": True, "name": "in background"},
    ]


def _environment_provider():
    return {
        "type": "python",
        "module": "os",
        "func": "getenv",
        "arguments": {"key": "PLANTED_BY_NAME_API_KEY"},
    }


def _command_lines():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return found


def _search(directory):
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        for what, value in PLANTED.items():
            assert value not in text, f"{what} stands in {path.relative_to(directory)}: {_around(text, value)}"


def _around(text, value):
    place = text.index(value)
    return text[max(0, place - 200) : place + 100]


def test_nothing_that_an_experiment_leaves_holds_a_secret(tmp_path, address):
    whole = experiment(
        # An address that is none ends chaoslib's method; among the rollbacks it ends nothing.
        [activity for activity in _activities(address) if activity["name"] != "no url"],
        _activities(address),
        probes=[probe("steady ${token}", "give", value=True)],
        configuration=CONFIGURATION,
        secrets=SECRETS,
        title="With ${token}",
    )
    with Followed(tmp_path, whole, environment=ENVIRONMENT) as run:
        run.hold()
        if Path("/proc").exists():
            ours = _command_lines()
            assert any(b"drillmark.chaos.child" in line for line in ours)
            assert not [line for line in ours for value in PLANTED.values() if value.encode() in line]
        run.child.send("finish")
        assert run.until(What.FINISHED).status == "completed"
        run.until_dead()
        outputs = {e.name: e.output for e in run.events if e.event == What.ACTIVITY_ENDED and e.phase == "method"}
        assert outputs["argument"]["stdout"] == "[redacted] [redacted]\n"
        assert outputs["header"]["headers"]["X-Echo"] == "Bearer [redacted]"
        assert "using [redacted]" in run.log
    _search(tmp_path)


def test_nothing_that_workers_and_undos_leave_holds_a_secret(tmp_path, address, monkeypatch):
    for name, value in {**ENVIRONMENT, **FUNCTIONS}.items():
        monkeypatch.setenv(name, value)
    log = tmp_path / "worker.log"
    told = []
    with ActivityWorker(tmp_path, CONFIGURATION, SECRETS, log_path=log) as worker:
        told += [worker.run(activity, timeout_seconds=60).as_json() for activity in _activities(address)]
    whole = experiment([], _activities(address), configuration=CONFIGURATION, secrets=SECRETS)
    resolved = resolve(whole, {})
    told.append(resolved["configuration"])
    told += [outcome.as_json() for outcome in undo.perform(resolved, set(), run_dir=tmp_path)]
    (tmp_path / "told.txt").write_text(str(told))
    _search(tmp_path)


def test_a_running_activity_shows_no_secret_on_our_command_lines(tmp_path, monkeypatch):
    if not Path("/proc").exists():
        pytest.skip("this system has no /proc")
    for name, value in {**ENVIRONMENT, **FUNCTIONS}.items():
        monkeypatch.setenv(name, value)
    mark = tmp_path / "mark"
    activity = python("slow", "rest", seconds=30, mark=str(mark))
    with ActivityWorker(tmp_path, CONFIGURATION, SECRETS, log_path=tmp_path / "worker.log") as worker:
        worker.start(activity, timeout_seconds=None)
        until(mark.exists)
        time.sleep(0.1)
        lines = _command_lines()
        assert any(b"drillmark.chaos.worker" in line for line in lines)
        assert not [line for line in lines for value in PLANTED.values() if value.encode() in line]
        worker.cancel()
