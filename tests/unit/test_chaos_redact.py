"""Secrets are found by their value, in every form in which they commonly travel."""

from __future__ import annotations

import base64
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillmark.chaos.redact import MASK, Redactor, collect, collect_by_name, collect_references, redact

TOKEN = "tok-8f3a9c77d1"


def test_values_are_masked_at_any_depth_and_in_keys():
    value = {"a": [f"x {TOKEN} y", {TOKEN: (TOKEN, 1, None, True)}]}
    assert redact(value, {TOKEN}) == {"a": [f"x {MASK} y", {MASK: [MASK, 1, None, True]}]}


@pytest.mark.parametrize(
    "encode",
    [
        str,
        repr,
        json.dumps,
        quote,
        quote_plus,
        shlex.quote,
        lambda text: quote(text, safe=""),
        lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
        lambda text: base64.b64encode(f"{text} and more".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"us:{text}:er".encode()).decode(),
    ],
)
@pytest.mark.parametrize("secret", [TOKEN, 'o\'dd "sec\\ret" é&=% 17', "two\nlines-of-it-here"])
def test_encoded_values_are_masked(encode, secret):
    text = Redactor(collect(secret)).text(f"begin {encode(secret)} end")
    assert MASK in text
    assert secret not in text
    assert encode(secret) not in text
    # No long piece of it may be left, either.
    plain = encode(secret).strip("'\"")
    assert not any(plain[start : start + 12] in text for start in range(len(plain) - 12) if "base64" in str(encode))


def test_parts_by_which_a_connection_is_opened_count_on_their_own():
    for dsn, password in [
        ("postgresql://orders:pa55-word@db:5432/orders", "pa55-word"),
        ("host=db password=pa55-word dbname=orders", "pa55-word"),
        ("host=db password='pa55 word' dbname=orders", "pa55 word"),
        ("Server=db;Pwd=pa55-word;", "pa55-word"),
    ]:
        assert password in collect({"db": {"dsn": dsn}})
    assert collect("service=orders dbname=orders") == {"service=orders dbname=orders"}


def test_short_values_are_masked_only_where_they_stand_alone():
    redactor = Redactor({"abc"})
    assert redactor.text("abc") == MASK
    assert redactor.text("abcdef") == "abcdef"


def test_numbers_are_masked():
    assert redact({"pin": 774411, "other": 774412}, collect({"p": 774411})) == {"pin": MASK, "other": 774412}


def test_the_longest_secret_wins():
    assert Redactor({"pass", "password-and-more"}).text("password-and-more") == MASK


def test_references_are_looked_up_in_the_environment():
    secrets = {
        "a": {"b": {"type": "env", "key": "K"}, "c": "written out", "v": {"type": "vault", "path": "secret/path"}}
    }
    assert collect_references(secrets, {"K": TOKEN}) == {TOKEN, "written out"}
    assert collect_references({"a": {"type": "env", "key": "MISSING"}}, {}) == frozenset()


def test_names_tell_secrets_from_settings():
    values = {
        "DB_PASSWORD": "hunter22-and",
        "API_KEY": "short",
        "HOME": "/home/somebody",
        "MY_TOKEN": 5,
        "PGPASSFILE": "/a/file",
    }
    assert collect_by_name(values) == {"hunter22-and"}


def test_what_is_learnt_later_counts_too():
    redactor = Redactor({"first-one"})
    redactor.add({"second-one"})
    assert redactor.text("first-one second-one") == f"{MASK} {MASK}"
    assert Redactor().text("anything") == "anything"


@given(st.text(min_size=4, max_size=30).filter(str.strip), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_survives(secret, before, after):
    text = Redactor(collect(secret)).text(f"{before}{secret}{after}")
    # Only what the surroundings, or the mask, themselves spell may still be there.
    assert secret not in text.replace(MASK, "\0") or secret in f"{before}\0{after}"


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_without_secrets_nothing_changes(value):
    assert redact(value, ()) == value
