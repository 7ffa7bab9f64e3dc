"""What leads from a figure to its evidence, and what stands in for a chart for whoever cannot see it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import page_kinds
import report_kinds
from drillmark.report.charts import Earlier, doing
from drillmark.report.series import Series

EARLIER = [
    Earlier("20260201T100000Z-x-000002", "2026-02-01T10:00:00Z", "failed", {"lo": 31.0, "hi": 35.0}, {"lo": 90.0, "hi": 120.0}),
    Earlier("20260215T100000Z-x-000003", "2026-02-15T10:00:00Z", "unknown", {"lo": 3.0, "hi": None}, None),
]  # fmt: skip


def section(text: str, name: str) -> str:
    return re.search(rf'<section id="{name}".*?</section>', text, re.DOTALL)[0]


def test_every_chart_is_described_with_its_figures():
    told = page_kinds.described(page_kinds.of_kind("rto missed", EARLIER))
    assert "Recovery time (RTA): 5.8 s (5.7 to 5.9), objective 2 s, failed" in told["gauges"]
    assert "Data loss (RPA): 0.8 s (0.7 to 1.0), objective 1 h, passed" in told["gauges"]
    assert "2 earlier runs" in told["gauges"]
    assert "served again at +6.0 s" in told["picture"]
    assert "beats bad for 5.8 s, absent for 0.0 s" in told["picture"]
    assert "recover: recover-0 2 s, the longest" in told["waterfall"]


def test_earlier_runs_stand_in_a_table_too_newest_first():
    found = section(page_kinds.of_kind("passed", EARLIER), "gauges")
    assert found.index("2026-02-15 10:00") < found.index("2026-02-01 10:00")
    assert "33.0 s (31.0 to 35.0)" in found
    assert "3.0 s or more (no upper bound)" in found


def test_a_gap_leads_to_what_it_rests_on():
    document = report_kinds.kind("rto missed")
    found = section(page_kinds.of_kind("rto missed"), "gaps")
    assert "RTA = [max(0, c - b), d - a]" in found
    cited = re.findall(r'href="#entry-(\d+)"', found)
    assert cited == [str(number) for number in document["rto"]["cited"]["entries"]]


def test_a_store_with_holes_is_not_called_passed_alone():
    found = section(page_kinds.of_kind("holes"), "picture")
    assert re.search(r"data loss 5\.7 s.*passed</span> integrity .*failed</span>", found)


def test_stages_that_follow_at_once_have_a_row_each_for_their_names():
    rows: list[dict[str, Any]] = [
        {"t": at, "stage": stage, "bytes": 1.0, "rate": 1.0}
        for at, stage in ((1.0, "verify"), (1.1, "copy"), (1.2, "replay"))
    ]
    (panel,) = doing.progress(Series(begin=0.0, end=60.0, progress=rows))
    texts = [mark["encode"]["update"] for mark in panel.marks if mark["type"] == "text"]
    names = [text for text in texts if "stroke" not in text]
    assert [name["text"]["value"] for name in names] == ["verify", "copy", "replay"]
    heights = [name["y"]["value"] for name in names]
    assert all(later - earlier >= 12 for earlier, later in pairwise(heights))
    assert max(heights) < panel.height
