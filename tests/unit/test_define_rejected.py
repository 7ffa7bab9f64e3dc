"""Where in an experiment stands what Chaos Toolkit says against it: at one place, or at none."""

from __future__ import annotations

import pytest

from drillmark.define.rejected import place


def experiment(*names: str) -> dict:
    return {"method": [{"name": name, "type": "action", "provider": {"type": "python"}} for name in names]}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a", "b"), (("method", 1), "")),
        (("stop", "b"), None),  # the text names both: the function is called as the first activity is
        (("a", "c"), None),
    ],
)
def test_a_text_that_fits_two_activities_has_no_place(names, expected):
    text = "the python module 'm' does not expose a function called 'stop' in action 'b'"
    assert place(experiment(*names), text) == expected
