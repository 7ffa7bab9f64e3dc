"""Which waiting drill begins, on which worker: every rule, without a database."""

from __future__ import annotations

import random

import pytest

from drillmark.fleet.choosing import Free, Limits, Waiting, choose
from exhaustive import SEED, how_many


def waiting(name: str, *targets: str, environment="test", holds=False, **labels: str) -> Waiting:
    return Waiting(name, frozenset(targets), labels, environment, holds)


def decide(some, workers, *, locked=None, running=None, limits=None, everybody=None):
    return choose(
        some,
        workers,
        everybody=[one.labels for one in workers] if everybody is None else everybody,
        locked=locked or {},
        running=running or {},
        limits=limits or Limits(),
    )


def test_the_first_of_two_on_one_target_begins_and_the_other_says_why_not():
    chosen = decide([waiting("a@1", "db"), waiting("b@1", "db")], [Free("w", {}, 4)])
    assert chosen.starts == {"a@1": "w"}
    assert chosen.says == {"b@1": "target db is taken by a@1"}


def test_a_target_that_is_only_touched_is_locked_too():
    chosen = decide([waiting("a@1", "db", "api"), waiting("b@1", "api")], [Free("w", {}, 4)])
    assert set(chosen.starts) == {"a@1"}


def test_what_waits_for_one_target_keeps_its_others_free():
    chosen = decide([waiting("a@1", "db", "api"), waiting("b@1", "api")], [Free("w", {}, 4)], locked={"db": "z@1"})
    assert chosen.starts == {}
    assert chosen.says["b@1"] == "target api is kept for a@1, which was first"


def test_a_worker_needs_every_label():
    workers = [Free("eu", {"region": "eu"}, 1), Free("both", {"region": "eu", "reaches": "vpc"}, 1)]
    chosen = decide([waiting("a@1", "db", region="eu", reaches="vpc")], workers)
    assert chosen.starts == {"a@1": "both"}


def test_labels_that_nobody_has_are_named():
    chosen = decide([waiting("a@1", "db", region="mars")], [Free("w", {"region": "eu"}, 1)])
    assert chosen.says == {"a@1": "no worker that lives has region=mars"}


def test_a_busy_worker_is_not_nobody():
    chosen = decide([waiting("a@1", "db", region="eu")], [Free("w", {"region": "eu"}, 0)])
    assert chosen.says == {"a@1": "every worker that may take it is busy"}


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(at_once=1), "1 drills run at once already, the limit"),
        (Limits(environments={"test": 1}), "1 drills run in environment test already, its limit"),
    ],
)
def test_limits_count_what_runs_and_what_was_just_given(limits, says):
    chosen = decide([waiting("a@1", "one"), waiting("b@1", "two")], [Free("w", {}, 4)], limits=limits)
    assert set(chosen.starts) == {"a@1"}
    assert chosen.says == {"b@1": says}
    assert decide([waiting("a@1", "one")], [Free("w", {}, 4)], running={"test": 1}, limits=limits).says == {"a@1": says}


def test_what_is_taken_over_has_its_locks_and_its_count_already():
    taken = waiting("a@1", "db", holds=True)
    chosen = decide([taken], [Free("w", {}, 1)], locked={"db": "a@1"}, running={"test": 1}, limits=Limits(at_once=1))
    assert chosen.starts == {"a@1": "w"}


def test_never_two_on_one_target_nor_more_than_the_limits_whatever_waits():
    draw = random.Random(SEED)
    for _ in range(how_many(300, 5000)):
        names = [f"t{number}" for number in range(draw.randint(1, 6))]
        some = [
            waiting(
                f"d{number}@1", *draw.sample(names, draw.randint(1, len(names))), environment=draw.choice(["a", "b"])
            )
            for number in range(draw.randint(0, 12))
        ]
        locked = {name: "z@1" for name in names if draw.random() < 0.3}
        limits = Limits(draw.choice([None, 3]), {"a": draw.randint(1, 2)})
        workers = [Free(f"w{number}", {}, draw.randint(0, 3)) for number in range(draw.randint(0, 3))]
        slots = {one.worker: one.slots for one in workers}
        chosen = decide(some, workers, locked=locked, limits=limits)
        begun = [one for one in some if one.occurrence in chosen.starts]
        held = [target for one in begun for target in one.targets]
        assert len(held) == len(set(held)), SEED
        assert not set(held) & set(locked)
        assert sum(one.environment == "a" for one in begun) <= limits.environments["a"]
        assert limits.at_once is None or len(begun) <= limits.at_once
        assert all(list(chosen.starts.values()).count(name) <= slots[name] for name in slots)
        assert set(chosen.starts) | set(chosen.says) == {one.occurrence for one in some}
