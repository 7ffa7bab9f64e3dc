"""Programs that only Debian's packages bring. CI has them (`.ci/run` installs them); elsewhere what needs them says so."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# Its contrib modules hold amcheck, which the lab's wheel lacks.
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def needs(*packages: str, found: bool | None = None) -> pytest.MarkDecorator:
    """Skips a test where a program is missing, with the line that installs it; under CI the test runs, and fails."""
    there = all(shutil.which(name) for name in packages) if found is None else found
    line = f"apt-get install --no-install-recommends {' '.join(packages)}"
    return pytest.mark.skipif(not there and not os.environ.get("CI"), reason=f"not on this machine: {line}")
