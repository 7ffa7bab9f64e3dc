"""Chaos Toolkit's library without what most experiments never use, until they do."""

from __future__ import annotations

import subprocess
import sys

IMPORTED = """
import sys
from drillmark.chaos import later
with later.unless_called():
    from drillmark.chaos import preparing, running
print([name for name in ("requests", "chaoslib.provider.http", "jsonpath2.path") if name in sys.modules])
"""
USED = """
from chaoslib.activity import ensure_activity_is_valid, run_activity
from chaoslib.exceptions import ActivityFailed, InvalidActivity
from chaoslib.hypothesis import within_tolerance
from chaoslib.loader import load_experiment

path = {"type": "jsonpath", "target": "body", "path": "$.source", "expect": ["database"]}
print(within_tolerance(path, {"body": {"source": "database"}}), within_tolerance(path, {"body": {"source": "cache"}}))
activity = {"name": "a", "type": "probe", "provider": {"type": "http", "url": "http://127.0.0.1:1/", "timeout": 1}}
ensure_activity_is_valid(activity)
for act, error in (
    (lambda: ensure_activity_is_valid({**activity, "provider": {"type": "http"}}), InvalidActivity),
    (lambda: run_activity(activity, {}, {}), ActivityFailed),
    (lambda: load_experiment("http://127.0.0.1:1/x.json"), OSError),
):
    try:
        act()
    except error as found:
        print(error.__name__)
import requests
print(requests.get.__name__, sys.modules["requests"] is requests)
"""


def said(*scripts: str) -> list[str]:
    command = [sys.executable, "-c", "".join(scripts)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_it_is_not_imported_for_who_does_not_use_it():
    assert said(IMPORTED) == ["[]"]


def test_whoever_uses_it_gets_it_as_it_is():
    assert said(IMPORTED, USED)[1:] == ["True False", "InvalidActivity", "ActivityFailed", "OSError", "get True"]
