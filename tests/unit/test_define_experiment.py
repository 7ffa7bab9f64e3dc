"""Experiments: read as Chaos Toolkit reads them, kept unchanged, and what is said of them."""

from __future__ import annotations

import json

import pytest

from define_builders import EXPERIMENT, with_line
from drillmark.define import read_experiment


def read(text: str, file: str = "e.yaml"):
    return read_experiment(text.encode(), file)


def only(text: str, file: str = "e.yaml") -> str:
    (found,) = read(text, file).problems
    return str(found)


def test_an_experiment_is_kept_as_it_is():
    experiment = read(EXPERIMENT)
    assert experiment.problems == []
    assert experiment.warnings == []
    assert experiment.value["configuration"] == {"since": "2026-12-20"}
    assert (experiment.actions, experiment.undos) == (["lose-host"], ["bring-host-back"])


def test_json_and_yaml_are_the_same_experiment():
    value = read(EXPERIMENT).value
    assert read(json.dumps(value), "e.json").value == value


def test_yaml_is_read_by_pyyamls_rules_but_for_dates():
    value = read("title: x\non: yes\nminutes: 12:30\nday: 2026-12-20\nbase: &b {k: 1}\nmore: {<<: *b, l: 2}\n").value
    assert value is not None
    assert {key: value[key] for key in ("minutes", "day", "more")} == {
        "minutes": 750,
        "day": "2026-12-20",
        "more": {"k": 1, "l": 2},
    }


def test_references_are_followed_as_chaoslib_does():
    text = (
        EXPERIMENT
        + "steady-state-hypothesis:\n  title: t\n  probes: [{name: up, type: probe, tolerance: true, provider: {type: process, path: x}}]\n"
    )
    text = with_line(text, "rollbacks:\n", "  - ref: up\n  - ref: lose-host\nrollbacks:\n  - ref: lose-host\n")
    experiment = read(text)
    assert experiment.actions == ["lose-host", "lose-host"]
    assert experiment.undos == ["lose-host", "bring-host-back"]


def test_unknown_keys_are_warnings_with_their_place():
    text = with_line(EXPERIMENT, "description: Its", "tittle: x\ndescription: Its")
    text = with_line(text, "rollbacks:", "    backgroud: true\nrollbacks:")
    experiment = read(text)
    assert experiment.problems == []
    assert [str(warning) for warning in experiment.warnings] == [
        "e.yaml:2:1: Chaos Toolkit does not know the key `tittle` and ignores it\n  HINT: did you mean `title`?",
        "e.yaml:10:5: Chaos Toolkit does not know the key `backgroud` and ignores it\n  HINT: did you mean `background`?",
    ]


def test_keys_for_others_are_let_pass():
    assert read(EXPERIMENT + "x-owner: me\n").warnings == []


@pytest.mark.parametrize(
    ("text", "file", "expected"),
    [
        ("", "e.yaml", "e.yaml: the file is empty"),
        ("", "e.json", "e.json: the file is empty"),
        ("a: 1", "e.txt", "Chaos Toolkit reads .yaml, .yml and .json"),
        ("[1]", "e.yaml", "an experiment is a mapping"),
        ("{", "e.json", "e.json:1:2: this is not JSON"),
        ('{"a": 1, "a": 2}', "e.json", "duplicate key `a`"),
        ("rollbacks: []\nrollbacks: []\n", "e.yaml", "e.yaml:2:1: duplicate key `rollbacks`, first in line 1"),
        ("a: !!python/object/apply:os.system [ls]\n", "e.yaml", "e.yaml:1:4: this YAML cannot be read"),
        ("a: !!binary aGVsbG8=\n", "e.yaml", "`a` cannot stand in JSON: bytes"),
        ("a: .nan\n", "e.yaml", "infinity and not-a-number"),
        ("a: {1: b}\n", "e.yaml", "e.yaml:1:4: the key `1` in `a` is not text"),
        ("[" * 100_000, "e.json", "nested too deep"),
        ("secrets: {db: {password: hunter2}}\n", "e.yaml", "`secrets.db.password` holds a value, not a reference"),
    ],
)
def test_what_cannot_be_an_experiment(text, file, expected):
    found = only(text, file)
    assert expected in found
    assert "hunter2" not in found


def test_a_bomb_in_an_experiment_is_defused():
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{new}: &{new} [{','.join(['*' + old] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    assert "aliases of this file" in only("\n".join(lines))
    merged = ["a: &a {k: 1}"]
    merged += [
        f"{new}: &{new} {{<<: [{','.join(['*' + old] * 9)}]}}" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    assert "aliases of this file" in only("\n".join(merged))


def test_switches_in_secrets_are_no_values():
    assert read(EXPERIMENT + "secrets: {k8s: {KUBERNETES_VERIFY_SSL: false}}\n").problems == []


def test_a_secret_on_a_command_line_is_a_warning():
    text = EXPERIMENT + "secrets: {db: {password: {type: env, key: PW}}}\n"
    text = with_line(
        text,
        "rollbacks:",
        '  - {name: x, type: action, provider: {type: process, path: psql, arguments: "-W ${password}"}}\nrollbacks:',
    )
    (found,) = read(text).warnings
    assert str(found).startswith("e.yaml:9:78: ")
    assert "the secret `password` would stand on a command line" in str(found)
