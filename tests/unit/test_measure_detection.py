"""Time to detect: which alert counts, what a person's word does, and when silence is an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from drillmark.model.entry import Effect, Entry, Kind
from rig.journal import SECOND, WALL_NS, Journal
from rig.plain import Run, check, drill

NOW = float("nan")
LISTENED = 21.9  # the receiver was told to end, in the plain drill


def place(journal: Journal, at: float, /, **data: Any) -> None:
    """An event in its place by time, before the observers are stopped."""
    moment = journal.at(at)
    journal.entries.append(Entry(0, "rig", 1, Kind.EVENT, moment, data, "", ""))
    journal.entries.sort(key=lambda entry: entry.stamp.monotonic_ns)
    journal.entries = [replace(entry, sequence=number) for number, entry in enumerate(journal.entries, 1)]


def alert(at: float, *, status: str = "firing", matched: bool = True, began: float | None = NOW, **labels: str):
    """Received at `at`; it began then, unless another time is given. None: it does not say when."""
    began = at if began is NOW else began

    def edit(journal: Journal) -> None:
        place(
            journal, at, what="alert", received=journal.at(at).as_json(), route="/alerts", status=status, matched=matched,
            labels=labels or {"alertname": "Down"}, starts_at_ns=None if began is None else WALL_NS + round(began * SECOND),
        )  # fmt: skip

    return edit


def person(at: float, name: str = "ops"):
    return lambda journal: place(journal, at, what="declared", by=name, reason="", at=journal.at(at).as_json())


def away(begin: float, end: float):
    return lambda journal: place(
        journal, end, what="alerts_away", **{"from": journal.at(begin).as_json(), "to": journal.at(end).as_json()}
    )


def closed(journal: Journal, at: float = LISTENED) -> None:
    place(journal, at, what="alerts_closed", stamp=journal.at(at).as_json())


def died(at: float):
    return lambda journal: place(journal, at, what="alerts_died", error="disk full")


def detection(by: str, at: float):
    """How the wait for a detection ended."""

    def edit(journal: Journal) -> None:
        found: list[Entry] = []
        for entry in journal.entries:
            data = entry.data | {"by": by, "declared_at": journal.at(at).as_json()}
            is_outcome = entry.effect is Effect.DETECT and entry.kind is Kind.OUTCOME
            found.append(replace(entry, data=data) if is_outcome else entry)
        journal.entries = found

    return edit


def ran(*edits: Callable[[Journal], None], listens: bool = True, make: Any = drill, **plan: Any) -> Run:
    def edit(journal: Journal) -> None:
        for each in (*edits, *([closed] if listens else [])):
            each(journal)

    return make(plan={"alerts": True, "time_to_detect": 10.0} | plan, edit=edit)


def told(run: Run) -> tuple[float, float | None] | str:
    measured = run.measured.durations["time_to_detect"]
    if measured.seconds is None:
        return measured.reason
    hi = measured.seconds.hi
    return round(measured.seconds.lo, 3), None if hi is None else round(hi, 3)


def test_an_alert_is_measured_from_the_disaster_to_when_it_was_received():
    run = ran(alert(5.0))  # t0 = [0.2, 0.3]
    assert told(run) == (4.7, 4.8)
    assert run.measured.stamps["t_detect"] == {"lo": 5.0, "hi": 5.0}
    assert run.outcome("time_to_detect") == "passed"
    assert run.measured.detection is not None
    assert (run.measured.detection.by, run.measured.detection.kind) == ("Down", "alert")


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (alert(3.0, matched=False), "it is another alert"),
        (alert(3.0, status="resolved"), "it is resolved"),
        (alert(-3.0), "it came before the fault"),
        (alert(3.0, began=-60.0), "it began before the fault"),
        (alert(3.0, status="unreadable"), "it could not be read"),
    ],
)
def test_what_does_not_qualify_is_noted_and_does_not_count(first, why):
    run = ran(first, alert(5.0, alertname="Down", job="other"))
    assert told(run) == (4.7, 4.8)
    assert run.measured.detection is not None
    assert [(each.counts, each.why) for each in run.measured.detection.noted] == [(False, why), (True, "")]
    assert told(ran(first))[1] is None, "alone it is silence"


def test_an_alert_that_was_firing_before_the_fault_does_not_count_when_it_is_sent_again():
    assert told(ran(alert(-5.0), alert(4.0)))[1] is None
    assert told(ran(alert(-5.0), alert(-4.0, status="resolved"), alert(4.0))) == (3.7, 3.8)


def test_an_alert_that_may_have_begun_before_the_fault_gives_only_a_lower_edge():
    run = ran(alert(4.0, began=-0.5), time_to_detect=60.0)  # the other clock may be off by a second
    assert told(run) == (3.7, None)
    assert run.outcome("time_to_detect") == "unknown"
    assert "may have begun before the fault" in run.reason("time_to_detect")
    assert told(ran(alert(4.0, began=-0.5), alert(6.0, began=1.5, alertname="Second"))) == (3.7, 5.8)


def test_an_alert_that_does_not_say_when_it_began_gives_only_a_lower_edge():
    """It may have been firing for days, and be sent again every few hours: once after the fault."""
    run = ran(alert(4.0, began=None), time_to_detect=60.0)
    assert told(run) == (3.7, None)
    assert run.outcome("time_to_detect") == "unknown"
    assert "does not say when it began" in run.reason("time_to_detect")
    assert told(ran(alert(4.0, began=None), alert(6.0, alertname="Second"))) == (3.7, 5.8)
    assert told(ran(alert(4.0, began=None), person(5.0), detection("person", 5.0), detect=9.0)) == (3.7, 4.8)


def test_later_than_the_objective_is_missed_and_across_it_is_unknown():
    assert ran(alert(15.0)).outcome("time_to_detect") == "failed"
    assert ran(alert(10.25)).reason("time_to_detect") == "straddles"


def test_silence_lasts_as_long_as_users_suffered_and_somebody_listened():
    # Service is back in (6.0, 6.1]: after that no alert is due any more.
    assert told(ran()) == (5.7, None)
    assert ran(time_to_detect=3.0).outcome("time_to_detect") == "failed"
    run = ran(time_to_detect=60.0)
    assert (run.outcome("time_to_detect"), run.reason("time_to_detect")) == (
        "unknown", "straddles: no qualifying alert came",
    )  # fmt: skip
    assert ran(time_to_detect=None).outcome("time_to_detect") == "failed"


def test_waiting_in_vain_is_missed_whatever_the_interval_says():
    run = ran(detection("nobody", 1.5), time_to_detect=60.0, detect=60.0)
    assert run.outcome("time_to_detect") == "failed"
    assert "waited for" in run.reason("time_to_detect")
    assert "unattended" in run.measured.flags


def test_a_dead_receiver_is_unknown_and_never_silence():
    run = ran(died(3.0), listens=False, time_to_detect=1.0)
    assert told(run) == "the alert receiver died: disk full"
    assert run.outcome("time_to_detect") == "unknown"
    assert ran(detection("nobody", 1.5), died(3.0), listens=False, detect=9.0).outcome("time_to_detect") == "unknown"
    assert told(ran(listens=False)) == "the alert receiver died"  # nobody saw it die, and it never closed its file


def test_a_receiver_that_dies_after_the_alert_takes_nothing_away():
    assert told(ran(alert(5.0), died(7.0), listens=False)) == (4.7, 4.8)


def test_where_the_receiver_was_away_an_alert_may_have_come_earlier():
    assert told(ran(away(2.0, 8.0), alert(8.5))) == (1.7, 8.3)
    assert told(ran(away(2.0, 8.0))) == "the alert receiver was stopped or starved for a while"
    assert told(ran(away(-9.0, -3.0), alert(8.5))) == (8.2, 8.3), "before the fault it does not matter"


def test_where_the_receiver_was_away_and_died_later_an_alert_may_have_come_earlier_all_the_same():
    run = ran(away(2.0, 8.0), alert(8.5), died(9.0), listens=False, time_to_detect=3.0)
    assert told(run) == (1.7, 8.3)
    assert run.outcome("time_to_detect") == "unknown"
    assert told(ran(alert(5.0), away(6.0, 8.0), died(9.0), listens=False)) == (4.7, 4.8)


def test_a_person_counts_where_no_alert_came_before():
    run = ran(person(4.0), alert(6.0), detection("person", 4.0), detect=9.0)
    assert told(run) == (3.7, 3.8)
    assert run.measured.stamps["t_declare"] == {"lo": 4.0, "hi": 4.0}
    assert run.measured.detection is not None
    assert (run.measured.detection.by, run.measured.detection.kind) == ("ops", "person")
    assert "unattended" not in run.measured.flags
    run = ran(alert(3.0), person(4.0), detection("person", 4.0), detect=9.0)
    assert told(run) == (2.7, 2.8)
    assert run.measured.detection is not None
    assert (run.measured.detection.by, run.measured.detection.declared_by) == ("Down", "ops")


def test_a_person_who_declared_before_the_fault_makes_it_unknown():
    run = ran(person(-4.0), detection("person", -4.0), detect=9.0)
    assert "before the fault" in str(told(run))
    assert run.outcome("time_to_detect") == "unknown"
    assert run.outcome("rto") == "unknown"


def test_a_receiver_that_died_before_a_person_spoke_may_have_missed_an_alert():
    assert told(ran(died(2.0), person(5.0), detection("person", 5.0), listens=False, detect=9.0)) == (0.0, 4.8)


def test_nothing_observed_is_not_applicable_and_not_judged():
    run = ran(listens=False, alerts=False, time_to_detect=10.0)
    assert told(run) == "no alerts are observed"
    assert run.outcome("time_to_detect") == "not_applicable"
    assert ran(listens=False, alerts=False, time_to_detect=None).outcome("time_to_detect") == "none"


def test_alerts_in_a_check_are_judged_and_silence_ends_with_the_undo():
    def until_the_end(journal: Journal) -> None:
        closed(journal, 50.5)

    def checked(*edits: Callable[[Journal], None], **plan: Any) -> Run:
        return ran(*edits, until_the_end, listens=False, make=partial(check, down=((0.25, 40.0),)), **plan)

    assert told(checked(alert(5.0))) == (4.7, 4.8)
    run = checked(time_to_detect=20.0)  # the undo comes at 30 s
    assert told(run) == (29.7, None)
    assert run.outcome("time_to_detect") == "failed"
    assert checked(time_to_detect=40.0).outcome("time_to_detect") == "unknown"


def test_an_aborted_run_does_not_fail_for_silence():
    def aborted(journal: Journal) -> None:
        place(journal, 21.0, what="something")
        journal.entries = [
            replace(entry, kind=Kind.ABORT, data={"by": "person", "reason": "x"})
            if entry.data.get("what") == "something"
            else entry
            for entry in journal.entries
        ]

    assert ran(aborted, time_to_detect=None).outcome("time_to_detect") == "unknown"
