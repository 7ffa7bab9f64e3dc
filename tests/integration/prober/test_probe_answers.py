"""Which answers of a real server are good beats, which bad, and what is said of them."""

from __future__ import annotations

import json
import socket
from typing import Any

import numpy as np

from answering import PERIOD, http, steps, words
from drillmark import samples
from observe_children import NS


def test_a_slow_server_delays_no_beat(server: Any, beat: Any) -> None:
    server.delay = 0.6
    table = beat([http(server.url)], 2.0)
    assert words(table) == {"read": {(1, "200")}}
    assert np.asarray(table["received_ns"] - table["sent_ns"]).min() >= 0.6 * NS
    sent = np.sort(np.asarray(table["sent_ns"]))
    # As many beats as fit, one period apart (40, and fewer on a busy machine); one by one, 0.6 s apart, there were four.
    assert len(table) >= 10
    assert np.median(np.diff(sent)) < 0.3 * NS


def test_an_error_page_with_200_is_bad_and_so_is_the_right_body_with_500(server: Any, beat: Any) -> None:
    assert words(beat([http(server.url)], 0.4)) == {"read": {(1, "200")}}

    def begin(**what: Any) -> Any:
        return lambda: vars(server).update(what)

    table = beat([http(server.url)], 0.6, between=begin(body=b'{"source": "cache"}'))
    assert words(table) == {"read": {(1, "200"), (0, "tolerance")}}
    server.body = b'{"source": "database"}'
    table = beat([http(server.url)], 0.6, between=begin(status=500))
    assert (0, "500") in words(table)["read"]
    server.status, server.content_type, server.body = 200, "text/html", b"<html>sorry</html>"
    before = len(table)
    table = beat([http(server.url)], 0.4)  # the file goes on
    assert set(samples.texts(table, "detail")[before:]) == {"tolerance"}
    server.content_type = "application/json"
    before = len(table)
    assert set(samples.texts(beat([http(server.url)], 0.4), "detail")[before:]) == {"not json"}


def test_tolerances_mean_what_chaos_toolkit_means(server: Any, beat: Any) -> None:
    server.content_type = "text/plain"
    cases: list[tuple[Any, int, bool]] = [
        (404, 404, True),
        (200, 404, False),
        ([200, 503], 503, True),
        ([200, 503], 404, False),
        (True, 200, False),
        ({"type": "range", "target": "status", "range": [400, 499]}, 404, True),
        ({"type": "regex", "target": "body", "pattern": "data.ase"}, 200, True),
        ({"type": "regex", "target": "body", "pattern": "data.ase"}, 404, False),
        ({"type": "regex", "pattern": "data.ase"}, 200, False),
        ({"type": "jsonpath", "path": "$.status", "expect": [404]}, 404, True),
        ({"type": "jsonpath", "path": "$.source", "expect": ["database"]}, 200, False),
        ({"type": "jsonpath", "target": "body", "path": "$.source", "expect": "${source}"}, 200, True),
    ]
    activities = [
        http(f"{server.url}/status/{status}", name=f"{number}", tolerance=tolerance)
        for number, (tolerance, status, _) in enumerate(cases)
    ]
    table = beat(activities, 0.5, configuration={"source": "database"})
    found = words(table)
    for number, (tolerance, _, good) in enumerate(cases):
        assert {ok for ok, _ in found[str(number)]} == {int(good)}, tolerance


def test_requests_are_what_chaos_toolkit_would_send(server: Any, beat: Any) -> None:
    activity = http(
        "${base}/orders",
        method="POST",
        headers={"Content-Type": "application/json", "X-Token": "${token}"},
        arguments={"customer": "${who}", "n": 3},
    )
    form = http(server.url + "/form", name="form", method="POST", arguments={"a": "b c"})
    query = http(server.url + "/find", name="find", arguments={"q": "a b", "n": [1, 2]})
    user = http(server.url.replace("//", "//ada:pw@"), name="user")
    table = beat(
        [{"name": "create", "activity": activity, "repeatable": False, "timeout_seconds": None}, form, query, user],
        0.3,
        configuration={"base": server.url, "who": "müller"},
        secrets={"api": {"token": "t0ps3cret-token"}},
    )
    assert words(table) == {name: {(1, "200")} for name in ("create", "form", "find", "user")}
    assert {"customer": "müller", "n": 3} in [json.loads(body) for body in server.posted if body.startswith(b"{")]
    assert b"a=b+c" in server.posted
    assert any(headers.get("X-Token") == "t0ps3cret-token" for _, headers in server.seen)
    assert any(headers.get("Authorization") == "Basic YWRhOnB3" for _, headers in server.seen)
    assert any(path == "/find?q=a+b&n=1&n=2" for path, _ in server.seen)


def test_timeouts_and_a_dead_server_have_their_words_and_no_beat_is_missing(beat: Any) -> None:
    # A listener that never accepts: the kernel completes the handshake, nobody answers.
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.1", 0))
        silent.listen(500)
        closed.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        arguments = {"host": "127.0.0.1", "port": port}
        native = {"type": "python", "module": "drillmark.observe.probes", "func": "tcp"}
        table = beat(
            [
                http(f"http://127.0.0.1:{port}", name="silent"),
                http(f"http://127.0.0.1:{closed.getsockname()[1]}", name="refused"),
                http("http://no-such-host.invalid/", name="dns"),
                http(f"http://127.0.0.1:{port}", name="own", timeout=0.1),
                {"name": "port", "type": "probe", "tolerance": True, "provider": native | {"arguments": arguments}},
                {
                    "name": "no port",
                    "type": "probe",
                    "tolerance": True,
                    "provider": native | {"arguments": arguments | {"port": closed.getsockname()[1]}},
                },
            ],
            3.5,
            timeout=2.0,
        )
    found = words(table)
    assert found["silent"] == found["own"] == {(0, "timeout")}
    assert found["refused"] == found["no port"] == {(0, "refused")}
    assert found["dns"] <= {(0, "dns"), (0, "timeout")}
    assert found["port"] == {(1, "ok")}
    # What a time-out of 2 s held up would leave out 40 beats.
    assert steps(table).max() < 2.0 / PERIOD / 2
    waited: dict[str, list[int]] = {}
    for name, ns in zip(samples.texts(table, "probe"), (table["received_ns"] - table["sent_ns"]).tolist(), strict=True):
        waited.setdefault(name, []).append(ns)
    assert min(waited["silent"]) >= 2.0 * NS
    assert np.median(waited["silent"]) < 7.0 * NS
    # Its own time-out is the shorter one, and that one counts.
    assert min(waited["own"]) >= 0.1 * NS
    assert np.median(waited["own"]) < 1.0 * NS
