"""The YAML reader: 1.2 core, places, and everything that it refuses."""

from __future__ import annotations

import time

import pytest

from drillmark.define import scalars, yaml_core


def read(text: str | bytes):
    return yaml_core.read(text if isinstance(text, bytes) else text.encode(), "f.yaml")


def only(text: str | bytes) -> str:
    problems = read(text).problems
    assert len(problems) == 1, problems
    return str(problems[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:00", "12:00"),
        ("on", "on"),
        ("No", "No"),
        ("y", "y"),
        ("2026-12-20", "2026-12-20"),
        ("2026-12-20T10:00:00Z", "2026-12-20T10:00:00Z"),
        ("1_000", "1_000"),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("-12", -12),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        (".", "."),
        ("4h", "4h"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_plain_scalars_follow_the_core_rules(text, value):
    assert scalars.resolve(text) == value
    assert type(scalars.resolve(text)) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan", "1e999", "9" * 41])
def test_numbers_that_json_has_not_are_refused(text):
    with pytest.raises(scalars.ScalarError):
        scalars.resolve(text)
    assert only(f"a: {text}\n").startswith("f.yaml:1:4: ")


def test_quoted_scalars_stay_text():
    assert read("a: '12'\nb: \"true\"\nc: |\n  5\n").value == {"a": "12", "b": "true", "c": "5\n"}


def test_keys_are_text_as_written():
    assert read("on: 1\n12: 2\ntrue: 3\n").value == {"on": 1, "12": 2, "true": 3}


def test_every_key_and_value_has_its_place():
    marks = read("a:\n  - b: 1\n    c:   x\n").marks
    assert marks.key(("a", 0, "c")) == (3, 5)
    assert marks.value(("a", 0, "c")) == (3, 10)
    assert marks.value(("a", 0)) == (2, 5)
    assert marks.value(("a", 0, "c", "not", "there")) == (3, 10)


def test_a_place_within_an_alias_is_that_of_the_alias():
    marks = read("a: &x {k: 1}\nb: *x\n").marks
    assert marks.value(("b", "k")) == (2, 4)


def test_aliases_are_values():
    assert read("a: &x [1, 2]\nb: *x\nc: &y text\nd: *y\n").value == {
        "a": [1, 2],
        "b": [1, 2],
        "c": "text",
        "d": "text",
    }


def test_all_problems_at_once_with_their_places():
    problems = [
        str(problem) for problem in read("a: 1\nb: !!str 2\na: 3\n<<: {x: 1}\nc: !!python/name:os.system ''\n").problems
    ]
    assert problems == [
        "f.yaml:2:4: the tag `!!str` is not allowed\n  HINT: quote the value if it is meant as text",
        "f.yaml:3:1: duplicate key `a`, first in line 1\n  HINT: keep one of the two",
        "f.yaml:4:1: merge keys (`<<`) are not part of YAML 1.2\n  HINT: write the values out, or use an alias",
        "f.yaml:5:4: the tag `!!python/name:os.system` is not allowed\n  HINT: quote the value if it is meant as text",
    ]


def test_duplicate_keys_are_found_in_depth_and_in_flow_style():
    assert only("a: {b: {c: 1, c: 2}}\n").startswith("f.yaml:1:15: duplicate key `c`")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "~\n", "\ufeff"])
def test_empty_files(text):
    assert only(text) == "f.yaml: the file is empty"


@pytest.mark.parametrize("data", [b"\x00\x01\x02", b"\x7fELF\x02\x01\x01\x00", b"a: 1\x00\n", b"\x1f\x8b\x08\x00"])
def test_binary_files(data):
    assert "this is a binary file" in only(data)


def test_text_that_is_not_utf_8():
    assert only(b"a: 1\nb: \xff\n").startswith("f.yaml:2:1: this is not UTF-8 text")


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: [1, 2\n", "2:1"), ("a: b: c\n", "1:5"), ("a: 'x\n", "2:1"), ("\ta: 1\n", "1:1"), ("a: *nobody\n", "1:4")],
)
def test_broken_yaml_names_its_place(text, place):
    assert only(text).startswith(f"f.yaml:{place}: ")


def test_a_second_document_is_refused():
    assert only("a: 1\n---\nb: 2\n").startswith("f.yaml:2:1: a second document begins here")


@pytest.mark.parametrize("text", ["? [a, b]\n: 1\n", "? {a: 1}\n: 1\n"])
def test_a_key_must_be_text(text):
    assert "a key must be text" in only(text)


def test_an_alias_that_contains_itself():
    assert only("a: &x\n  b: *x\n") == "f.yaml:2:6: `*x` contains itself"


def test_a_bomb_is_defused_quickly():
    lines = ["a: &a [xxxxxxxxxx,x,x,x,x,x,x,x,x]"]
    lines += [f"{new}: &{new} [{','.join(['*' + old] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    before = time.process_time()
    said = only("\n".join(lines))
    assert time.process_time() - before < 5
    assert "aliases of this file write out to more than it may hold" in said


def test_a_bomb_of_text_is_defused_too():
    text = "a: &a " + "x" * 100_000 + "\nb: [" + ",".join(["*a"] * 100) + "]\n"
    assert "aliases of this file" in only(text)


def test_ten_megabytes_are_refused_quickly():
    data = b"key: value\n" * 1_000_000
    before = time.process_time()
    assert only(data).startswith("f.yaml: the file is too large: 11.0 MB, at most 1.0 MB are read")
    assert time.process_time() - before < 5


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "".join(" " * n + "a:\n" for n in range(200))])
def test_depth_is_limited(text):
    assert "nested deeper than 64 levels" in only(text)


def test_half_a_surrogate_pair_never_comes_through():
    document = read('a: "\\ud800"\n')
    assert document.problems
