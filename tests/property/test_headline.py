"""Whatever a result holds, its headline claims nothing that the result does not carry."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

import report_kinds as kinds
from drillmark.report import headline

VERDICTS = st.sampled_from(["passed", "failed", "unknown", "not_applicable"])
SECONDS = st.floats(0, 1e6, allow_nan=False)
SPANS = st.one_of(
    st.none(),
    st.tuples(SECONDS, SECONDS).map(lambda pair: {"lo": min(pair), "hi": max(pair)}),
    SECONDS.map(lambda lo: {"lo": lo, "hi": None}),
)
REASONS = st.sampled_from(["", "missed", "straddles", "not restored", "ended by undo", "fault not injected", "why not"])
COUNTS = st.integers(0, 10**7)
# What may stand behind a number: a unit, the thing that is counted, or the other bound.
UNITS = r"(?: (?:s|ms|min|h|d)\b| to \d|\)|%| %|/s| of [\d,]+ | (?:more |acknowledged )?(?:write|hole|lost|deleted|of these))"


@st.composite
def documents(draw):
    """A result of some kind, with facts of it taken away or turned round."""
    document = kinds.kind(draw(st.sampled_from(kinds.KINDS)))
    document |= {"disaster": draw(st.sampled_from([None, "It burnt"]))}
    document["verdict"] = draw(VERDICTS)
    document["aborted"], document["refused"] = draw(st.booleans()), draw(st.booleans())
    document["reasons"] = ["aborted: person: why not", "refused: runner: why not"][: draw(st.integers(0, 2))]
    document["fault_began"] = draw(st.sampled_from([document["fault_began"], document["started"], None]))
    for name in ("rto", "rpo"):
        changes = {"observed_seconds": draw(SPANS), "verdict": draw(VERDICTS), "reason": draw(REASONS)}
        document[name] |= changes | {"objective_seconds": draw(SECONDS)}
    for item in document["objectives"]:
        item["verdict"], item["reason"] = draw(VERDICTS), draw(REASONS)
    if draw(st.booleans()):
        document["stamps"] = dict.fromkeys(document["stamps"])
    if document["writes"]:
        acknowledged = draw(COUNTS)
        document["writes"] |= {"acknowledged": acknowledged, "lost": draw(st.integers(0, acknowledged))}
        document["writes"] |= {"unproved": draw(st.integers(0, 3)), "holes": draw(st.integers(0, 3))}
        document["writes"] = draw(st.sampled_from([document["writes"], None]))
    return document


def without_times(text):
    return re.sub(r"\d\d:\d\d:\d\d", "then", text)


@settings(max_examples=150, deadline=None)
@given(documents())
def test_nothing_is_claimed_that_the_facts_do_not_carry(document):
    told = headline.tell(document)
    text = told.text
    assert text
    assert "None" not in text
    assert "nan" not in text.split()
    for sentence in (*told.happened, *told.why):
        assert sentence[-1] in ".!?…"
    bounded = document["rto"]["observed_seconds"] is not None and document["rto"]["observed_seconds"]["hi"] is not None
    judged = {item["name"]: item["verdict"] for item in document["objectives"]}
    if re.search(r"(?:served again|a copy answered) \d", text):
        assert bounded
    if "acknowledged writes was lost" in text:
        assert document["writes"]["lost"] == 0
        assert document["writes"]["unproved"] == 0
    if "did not come back" in text or "are not in the copy" in text:
        assert document["writes"] is None or document["writes"]["lost"] > 0
    if "Production kept" in text:
        assert judged["production"] == "passed"
    if "The fault was undone" in text:
        assert judged["undo"] == "passed"
    if "Nothing was touched" in text:
        assert document["refused"]
    if "Nothing was broken" in text:
        assert document["fault_began"] is None or document["rto"]["reason"] == "fault not injected"
    if document["writes"] and document["writes"]["holes"] and "did not come back" in text:
        assert "cannot be trusted" in text
    if judged.get("undo") == "failed" and not document["refused"] and "Nothing was broken" not in text:
        assert told.happened[0].startswith("Look at the system")
    assert (told.verdict == "PASSED") == (
        document["verdict"] == "passed" and not document["aborted"] and not document["refused"]
    )


@settings(max_examples=150, deadline=None)
@given(documents())
def test_no_number_stands_without_its_unit(document):
    text = without_times(headline.tell(document).text)
    text = re.sub(r"p(50|95|99)\b", "percentile", text)
    for found in re.finditer(r"(?<![\w.,])\d[\d,.]*(?<![.,])", text):
        behind = text[found.end() :]
        assert re.match(UNITS, behind), f"{found[0]!r} in {text!r}"
