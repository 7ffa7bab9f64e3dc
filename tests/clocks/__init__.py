"""Clocks that a test injects into the processes that it starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_HERE = str(Path(__file__).parent)


def environment(**settings: Any) -> dict[str, str]:
    """The environment of processes whose clock is another; see `sitecustomize.py` beside this file."""
    path = os.pathsep.join(filter(None, [_HERE, os.environ.get("PYTHONPATH", "")]))
    return os.environ | {"DRILLMARK_TEST_CLOCK": json.dumps(settings), "PYTHONPATH": path, "NO_COLOR": "1"}
