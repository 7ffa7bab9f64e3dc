"""The shape of experiments: references, time-outs, unknown keys, secrets in the wrong place."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chaos_helpers import experiment, probe, python, shell
from drillmark.chaos import checks, layout


def test_references_are_followed_as_chaos_toolkit_does():
    whole = experiment([python("a", "give", value=1), python("b", "give")], [{"ref": "a"}], probes=[probe("b")])
    assert layout.dereference(whole, {"ref": "a"}) is whole["method"][0]
    assert layout.dereference(whole, {"ref": "b"}) is whole["steady-state-hypothesis"]["probes"][0]
    assert layout.dereference(whole, {"ref": "c"}) is None
    assert layout.dereference(whole, whole["method"][1]) is whole["method"][1]


@pytest.mark.parametrize(
    ("activity", "seconds"),
    [
        ({"provider": {"type": "python"}}, None),
        ({"provider": {"type": "python", "timeout": 3}}, 3),
        ({"timeout": 2, "provider": {"type": "python", "timeout": 3}}, 2),
        ({"provider": {"type": "process", "timeout": 3}}, 8),
        ({"provider": {"type": "http", "timeout": 3}}, 13),
        ({"provider": {"type": "http", "timeout": [1, 2]}}, None),
        ({"timeout": True}, None),
        ({}, None),
    ],
)
def test_declared_time_outs(activity, seconds):
    assert layout.timeout_seconds(activity) == seconds


def test_warnings_name_what_will_not_work():
    whole = experiment(
        [{**python("a", "give"), "retries": 3}, shell("s", "login --password ${password} ${user}")],
        probes=[{**probe("p"), "provider": {"type": "http", "url": "x", "retry": 1}}],
        secrets={"db": {"password": {"type": "env", "key": "P"}, "other": "x"}},
    )
    whole["colour"] = "blue"
    whole["x-note"] = "mine"
    whole["steady-state-hypothesis"]["tolerance"] = 1
    assert layout.warnings(whole) == [
        "unknown key 'colour' in the experiment",
        "unknown key 'tolerance' in the hypothesis",
        "unknown key 'retry' in the provider of 'p'",
        "unknown key 'retries' in the activity 'a'",
        "the activity 's' puts the secret 'password' on a command line, where every user can read it",
    ]
    assert layout.warnings(experiment([python("a", "give")])) == []


def test_passwords_written_out_are_told():
    secrets = {
        "db": {"password": "hunter22", "context": "minikube", "api_token": {"type": "env", "key": "T"}},
        "token": "${other}",
    }
    assert layout.literal_problems(secrets) == [
        "the secret 'db.password' is written out: refer to it with type env or vault"
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "text",
        {},
        {"method": "x"},
        {"method": [1]},
        {"title": 1, "method": [{}]},
        {"steady-state-hypothesis": []},
        {"secrets": [], "method": []},
        {"controls": [{}], "title": "t", "description": "d", "method": []},
        {"title": "t", "description": "d", "method": [{"type": "action", "name": "x", "provider": "y"}]},
    ],
)
def test_any_shape_gives_problems_and_no_exception(wrong):
    assert checks.problems(wrong) != []


def test_the_parents_side_imports_no_chaos_toolkit():
    script = "import sys, drillmark.chaos, drillmark.chaos.undo; sys.exit(any(m.startswith('chaoslib') for m in sys.modules))"
    subprocess.run([sys.executable, "-c", script], check=True)
