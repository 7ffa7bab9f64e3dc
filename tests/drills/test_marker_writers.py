"""Two marker writers in one drill: one writes to the database, one through the order service, as users do."""

from __future__ import annotations

import pytest

import workspaces

CRASH = "drills/nightly/orders-db-crash.yaml"
JSON = {"Content-Type": "application/json"}
ROW = "${orders_url}/markers/${drillmark_run}/${marker_row}"
SERVICE = {
    "name": "service",
    "store": "http",
    "every": "50ms",
    "insert": {
        "url": "${orders_url}/markers",
        "headers": JSON,
        "arguments": {"run": "${drillmark_run}", "id": "${marker_row}"},
    },
    "update": {"url": ROW, "headers": JSON, "arguments": {"write": "${marker_write}", "before": "${marker_before}"}},
    "delete": {"url": ROW + "?before=${marker_before}"},
    "read": {
        "url": "${orders_url}/markers/${drillmark_run}?after=${marker_after}",
        "rows": "$.markers[*]",
        "write": "$.write",
    },
}

pytestmark = [pytest.mark.lab, pytest.mark.drill]


def test_both_are_measured_judged_and_reported(tmp_path):
    workspace = workspaces.make(tmp_path / "ws")
    try:
        drill = workspaces.shorten(workspace, CRASH, without=["load"], observe={"markers": [SERVICE]}, objectives={})
        done = workspaces.run(workspace, drill)
        result = workspaces.result(workspace)
    finally:
        workspaces.drillmark(workspace, "lab", "down")
    assert done.returncode in (0, 1, 4), done.stdout + done.stderr
    assert [(one["name"], one["store"]) for one in result["writers"]] == [("postgres", "postgres"), ("service", "http")]
    for one in result["writers"]:
        writes = one["writes"]
        assert writes["acknowledged"] > 50, one
        assert (writes["lost"], writes["unexpected"], one["integrity"]) == (0, 0, "passed"), one
        assert writes["unproved"] > 0, "no row was deleted"
        assert one["rpo"]["observed_seconds"]["lo"] == 0
    assert result["writers"][1]["writes"]["split_brain"] is None
    assert result["writes"]["acknowledged"] == sum(one["writes"]["acknowledged"] for one in result["writers"])
    highest = max(one["rpo"]["observed_seconds"]["hi"] for one in result["writers"])
    assert result["rpo"]["observed_seconds"]["hi"] == highest
    samples = {one["file"] for one in result["evidence"]["samples"]}
    assert {"samples/ledger.dms", "samples/ledger-service.dms", "samples/survivors-service.dms"} <= samples
    report = (workspaces.newest(workspace) / "report.md").read_text()
    assert "| service |" in report
    assert "writes  service:" in done.stdout
    why = workspaces.drillmark(workspace, "show", "last", "--why", "rpo")
    assert "ledger-service.dms" in why.stdout
