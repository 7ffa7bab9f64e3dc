"""Marker writers in a plan: several of them, and one over HTTP with its requests."""

from __future__ import annotations

import pytest

from define_builders import MINIMAL_DRILL, TARGETS, with_line
from drillmark.define import read_targets
from drillmark.model.plan import Plan
from plan_builders import checked, make

TWO_WRITERS = """    markers:
      - {store: postgres, secrets: orders-db}
      - {name: second, secrets: orders-db, every: 50ms}
"""


def with_two_writers() -> str:
    return with_line(TARGETS, "    markers: {store: postgres, secrets: orders-db}\n", TWO_WRITERS)


def test_several_marker_writers_each_have_a_name_and_files_of_their_own():
    made = make(targets=with_two_writers())
    assert [(one.name, one.role, one.ledger, one.read_back_role) for one in made.markers] == [
        ("", "markers", "ledger", "read_back"),  # the first that nobody gave a name has plain files
        ("second", "markers-second", "ledger-second", "read_back-second"),
    ]
    assert [one.every_seconds for one in made.markers] == [0.01, 0.05]
    (only,) = make().markers
    assert (only.name, only.label, only.role, only.ledger) == ("", "postgres", "markers", "ledger")


def test_a_drill_lays_over_a_writer_by_its_name_and_may_add_one():
    observe = "observe: {markers: [{name: second, writers: 1}, {name: third, secrets: orders-db}]}"
    made = make(with_line(MINIMAL_DRILL, "schedule: {every: quarter}", observe), targets=with_two_writers())
    told = [(one.name, one.writers, one.every_seconds) for one in made.markers]
    assert told == [("", 4, 0.01), ("second", 1, 0.05), ("third", 4, 0.01)]


@pytest.mark.parametrize(
    ("observe", "word"),
    [
        ("{writers: 1}", "the target `orders-db` has 2 marker writers\n  HINT: name one of postgres, second"),
        ("[{name: third, writers: 1}]", "the target `orders-db` has no store for markers `third`"),
        ("[{name: second, secrets: nope}]", "the secrets have no block `nope`"),
    ],
)
def test_which_writer_is_meant_must_be_clear(observe, word):
    drill = with_line(MINIMAL_DRILL, "schedule: {every: quarter}", f"observe: {{markers: {observe}}}")
    problems, _ = checked(drill, with_two_writers())
    assert word in problems[0]


def test_two_writers_of_one_name_are_refused():
    parsed = read_targets(with_two_writers().replace("name: second", "name: postgres").encode(), "t.yaml")
    assert "there are two marker writers called `postgres`" in str(parsed.problems[0])


def test_plans_from_before_there_could_be_several_are_read():
    made = make()
    old = made.model_dump(mode="json") | {
        "markers": {"store": "postgres", "secrets": "x", "every_seconds": 0.02, "writers": 2}
    }
    (only,) = Plan.model_validate(old).markers
    assert (only.role, only.ledger, only.every_seconds) == ("markers", "ledger", 0.02)
    assert Plan.model_validate(old | {"markers": None}).markers == ()


SERVICE = """    markers:
      name: service
      store: http
      insert: {url: "${orders_url}/markers", arguments: {id: "${marker_row}"}}
      update: {url: "${orders_url}/markers/${marker_row}", method: PATCH}
      read: {url: "${orders_url}/markers", write: "$.write"}
"""


def with_a_service(*changes: tuple[str, str]) -> str:
    targets = with_line(TARGETS, "    markers: {store: postgres, secrets: orders-db}\n", SERVICE)
    for old, new in changes:
        targets = with_line(targets, old, new)
    return targets


def test_a_marker_writer_over_http_has_its_requests_in_the_plan():
    (one,) = make(targets=with_a_service()).markers
    assert (one.name, one.store, one.secrets, one.every_seconds) == ("service", "http", None, 0.05)
    assert {name: request["method"] for name, request in one.requests.items()} == {
        "insert": "POST",
        "update": "PATCH",
        "read": "GET",
    }
    assert one.requests["insert"]["arguments"] == {"id": "${marker_row}"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (('      read: {url: "${orders_url}/markers", write: "$.write"}\n', ""), "markers.read` is missing"),
        ((', write: "$.write"', ""), "markers.read.write` is missing"),
        (("    identity: same-cluster\n", ""), "a marker writer over HTTP needs the target's `identity`"),
        (("store: http", "store: postgres"), "`insert` needs `store: http`"),
        (("method: PATCH", "refused: [99]"), "expected at least 100"),
    ],
)
def test_what_a_marker_writer_over_http_needs(change, word):
    parsed = read_targets(with_a_service(change).encode(), "t.yaml")
    assert any(word in str(problem) for problem in parsed.problems), [str(problem) for problem in parsed.problems]
