"""The headline of every kind of result: it says what the facts say, and nothing else."""

from __future__ import annotations

import pytest

import report_kinds as kinds
from drillmark.report import headline
from said_headlines import SAID


def test_every_kind_has_its_sentence():
    assert set(SAID) == set(kinds.KINDS)


@pytest.mark.parametrize("name", SAID)
def test_what_is_said(name):
    told = headline.tell(kinds.kind(name))
    verdict, text, then = SAID[name]
    assert (told.verdict, told.text) == (verdict, text)
    assert told.then.startswith(then)


def test_without_words_of_its_own_a_disaster_is_the_fault_that_struck_the_target():
    document = kinds.kind("passed") | {"disaster": None}
    assert headline.tell(document).happened[0].startswith("The fault struck orders-db at 22:13:20 UTC; users")
    assert headline.tell(document | {"disaster": "It burnt."}).happened[0].startswith("It burnt at 22:13:20 UTC; ")


def test_gaps_that_were_seen_again_or_closed_are_not_called_filed():
    document = kinds.kind("rto missed")
    (gap,) = document["gaps"]
    others = [gap | {"opened_by": "another-run"}, gap | {"state": "closed", "closed_by": document["run"]}] * 2
    text = headline.tell(document | {"gaps": [gap, *others]}).text
    assert text.endswith("One gap was filed. Two gaps are still open. Two gaps were closed.")


def test_a_result_from_before_some_fields_were_there_can_be_told():
    document = kinds.kind("rto missed")
    del document["disaster"], document["imported"], document["writes"]["unproved"]
    del document["gaps"][0]["opened_by"]
    assert headline.tell(document).text.endswith("objective 1 h. One gap is still open.")


def test_what_people_and_targets_wrote_stays_text_and_short():
    document = kinds.kind("preflight failed")
    nasty = "\x1b[2J<script>\u202e" + "x" * 1_000_000
    for item in document["objectives"]:
        item["reason"] = nasty
    document |= {"reasons": [nasty], "target": nasty, "disaster": nasty}
    told = headline.tell(document)
    assert len(told.text) < 2000
    assert "\x1b" not in told.text
    assert "\u202e" not in told.text
