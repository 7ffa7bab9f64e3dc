"""`junit.xml`: a test case for each objective, as CI servers read it. Pure.

Failed is a failure, unknown is an error (never a pass), not applicable is skipped. Control characters, which XML
cannot hold, are taken out of every text.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET  # writing only: nothing is parsed

from drillmark.report import sentences, words

_KIND = {"failed": "failure", "unknown": "error", "not_applicable": "skipped"}


def render(document: dict[str, Any]) -> str:
    """The XML text, with its declaration."""
    cases = document["objectives"] or [_the_run(document)]
    kinds = [_KIND.get(case["verdict"], "") for case in cases]
    # A run may be worse than each of its objectives (aborted, say): CI must not read that as green.
    if document["verdict"] != "passed" and not {"failure", "error"} & set(kinds):
        cases = [*cases, _the_run(document)]
        kinds.append(_KIND[document["verdict"]])
    seconds = sum(_seconds(case) for case in cases)
    counts = {
        "tests": str(len(cases)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{seconds:.3f}",
    }
    suites = ET.Element("testsuites", {"name": "drillmark", **counts})
    name = words.harmless(document["drill"])
    suite = ET.SubElement(suites, "testsuite", {"name": name, "timestamp": _timestamp(document), **counts})
    _properties(suite, document)
    for case, kind in zip(cases, kinds, strict=True):
        _case(suite, document, case, kind)
    ET.SubElement(suite, "system-out").text = f"{sentences.verdict_words(document)}. {sentences.headline(document)}"
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _case(suite: ET.Element, document: dict[str, Any], case: dict[str, Any], kind: str) -> None:
    attributes = {
        "name": words.harmless(case["name"]),
        "classname": f"drillmark.{words.harmless(document['drill'])}",
        "time": f"{_seconds(case):.3f}",
    }
    element = ET.SubElement(suite, "testcase", attributes)
    if not kind:
        return
    reason = words.harmless(case["reason"]) or words.outcome(case["verdict"])
    result = ET.SubElement(element, kind, {"message": reason})
    if kind != "skipped":
        result.set("type", case["verdict"])
        result.text = _details(case)


def _details(case: dict[str, Any]) -> str:
    parts = [
        f"objective: {words.quantity(case['objective'], case['unit'])}",
        f"observed: {sentences.observed(case)}",
    ]
    if case["cited"]["filled_in"]:
        parts.append(words.harmless(case["cited"]["filled_in"]))
    return "\n".join(parts)


def _properties(suite: ET.Element, document: dict[str, Any]) -> None:
    properties = ET.SubElement(suite, "properties")
    for name in ("run", "target", "environment", "verdict"):
        ET.SubElement(properties, "property", {"name": name, "value": words.harmless(str(document[name]))})


def _the_run(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "run",
        "verdict": document["verdict"],
        "objective": None,
        "observed": None,
        "unit": "seconds",
        "reason": "; ".join(str(reason) for reason in document["reasons"]) or "nothing was judged",
        "cited": {"filled_in": ""},
    }


def _seconds(case: dict[str, Any]) -> float:
    observed = case["observed"]
    if (
        case["unit"] != "seconds"
        or observed is None
        or not case["name"].startswith(("rto", "rpo", "time", "mtd", "after"))
    ):
        return 0.0
    return float(observed["lo"] if observed["hi"] is None else observed["hi"])


def _timestamp(document: dict[str, Any]) -> str:
    return str(document["started"] or "1970-01-01T00:00:00.000000Z")[:19]
