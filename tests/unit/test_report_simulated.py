"""A simulated disaster breaks nothing: no form of its report speaks of a fault, or of users who were served again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import page_kinds
import report_kinds
from drillmark import measure
from drillmark.model.entry import Effect, Kind
from drillmark.model.phases import phase_of
from drillmark.report import junit, markdown, sentences, series, step_summary
from rig.journal import Journal

SIMULATED = [name for name in report_kinds.KINDS if name.startswith("simulated")]
NEVER = re.compile(r"\bfaults?\b|fault was undone|\bserved\b", re.IGNORECASE)
TEMPLATE = Path("reports/templates/report.md.j2")


def seen(page: str) -> str:
    """What a person reads on the page, without the configuration, which names its keys."""
    body = re.sub(r'<(script|style).*?</\1>|<pre class="configuration".*?</pre>', "", page, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", "\n", body)


def names(page: str) -> list[str]:
    """What a person reads in the charts: names of phases, stamps and bars, titles, and the whole in words."""
    specs = page_kinds.specs(page)
    found = [spec["description"] for spec in specs.values()]
    for spec in specs.values():
        found += [str(row.get("said") or row.get("name")) for part in spec["data"] for row in part["values"]]
        found += re.findall(r'"text": \{"value": "([^"]*)"', json.dumps(spec))
    return found


def test_a_copy_that_is_taken_away_before_it_was_read_is_called_that():
    evidence = report_kinds.evidence_of("simulated")
    late = Journal().at(60.0)
    read = [
        replace(entry, stamp=late, data=entry.data | {"ended": late.as_json()})
        if entry.effect is Effect.READ_BACK and entry.kind is Kind.OUTCOME
        else entry
        for entry in evidence.entries
    ]
    rpa = measure.measure(replace(evidence, entries=tuple(read))).rpa
    assert rpa.seconds is None
    assert rpa.reason == "the copy was taken away before everything was read back"


@pytest.mark.parametrize("name", SIMULATED)
def test_no_form_of_the_report_speaks_of_a_fault(name):
    document, page = report_kinds.kind(name), page_kinds.of_kind(name)
    forms = {
        "page": seen(page),
        "charts": "\n".join(names(page)),
        "markdown": markdown.render(document, TEMPLATE.read_text()),
        "terminal": "\n".join(text for text, _ in sentences.summary(document)),
        "summary": step_summary.render(document),
        "junit": junit.render(document),
    }
    said = {form: NEVER.findall(text) for form, text in forms.items()}
    assert not any(said.values()), said


def test_where_something_was_broken_it_is_called_a_fault():
    document, page = report_kinds.kind("passed"), page_kinds.of_kind("passed")
    assert "When the fault began" in seen(page)
    assert {"fault", "fault begins", "served again", "undone", "fault: in place"} <= set(names(page))
    assert "Fault, recovery and undo" in page_kinds.described(page)["picture"]
    text = markdown.render(document, TEMPLATE.read_text())
    assert f"In seconds since the fault began, at {document['fault_began']}." in text
    assert "| `e` | the fault's effect was proved | 1.000 |" in text


def test_the_copy_is_what_answers_and_is_taken_away():
    document, page = report_kinds.kind("simulated"), page_kinds.of_kind("simulated")
    assert {"declare", "copy answered", "copy gone", "recover"} <= set(names(page))
    assert ">copy answered <code>t_service_restored</code>" in page
    assert ">copy gone <code>undo_end</code>" in page
    assert ">disaster declared <code>I</code>" in page
    assert "shown: " in page_kinds.described(page)["picture"]
    assert "Recovery and undo" in page_kinds.described(page)["picture"]
    assert f"When the disaster was declared</dt><dd>{document['fault_began']}" in page
    assert "it begins at the declaration" in page
    text = markdown.render(document, TEMPLATE.read_text())
    assert f"In seconds since the disaster was declared, at {document['fault_began']}." in text
    assert "| `t_service_restored` | the copy was good, and stayed so (d) |" in text


def test_a_copy_that_is_not_proved_gone_is_not_called_gone():
    page = page_kinds.of_kind("simulated, copy left")
    assert "copy gone" not in names(page)
    assert ">undo ends <code>undo_end</code>" in page


def test_what_ended_before_its_declaration_is_known_to_be_simulated_and_claims_no_copy():
    document, page = report_kinds.kind("simulated, aborted before"), page_kinds.of_kind("simulated, aborted before")
    assert document["flags"] == ["simulated disaster"]
    assert document["rto"]["reason"] == document["rpo"]["reason"] == "disaster not declared"
    assert document["durations"]["rpa_by_position"]["reason"] == "disaster not declared"
    assert "A copy was restored" not in page
    assert "The run ended before the disaster was declared." in markdown.render(document, TEMPLATE.read_text())
    before = report_kinds.kind("aborted before the fault")
    assert before["flags"] == []
    assert before["rto"]["reason"] == "fault not injected"


def test_the_band_of_the_declaration_is_not_that_of_a_fault():
    made = series.reduce(report_kinds.evidence_of("simulated"))
    assert [row["name"] for row in made.phases][:3] == ["baseline", "declare", "recover"]
    specs = page_kinds.specs(page_kinds.of_kind("simulated"))
    (shades,) = (part["values"] for part in specs["picture"]["data"] if part["name"] == "phases")
    colours = {row["name"]: row["fill"] for row in shades}
    assert colours["declare"] == colours["baseline"] != colours["recover"]
    assert phase_of(Effect.INJECT, simulated=False) == "fault"
    assert phase_of(Effect.INJECT, simulated=True) == phase_of(Effect.SIDE, simulated=True) == "declare"
