"""The wheel carries the workspace: what `init` writes from it is what it writes from a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The built wheel, unpacked: as good as installed, beside the dependencies that are installed already."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(build, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def init(directory: Path, site: Path) -> dict[str, bytes]:
    environment = os.environ | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import drillmark.cli, sys; print(drillmark.cli.__file__); drillmark.cli.main(['init', sys.argv[1]])"
    result = subprocess.run(
        [sys.executable, "-c", code, str(directory)],
        env=environment,
        cwd=directory.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(site)), result.stdout
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_init_from_the_wheel_writes_what_a_checkout_writes(tmp_path, unpacked):
    from_wheel = init(tmp_path / "from wheel", unpacked)
    from_checkout = init(tmp_path / "from checkout", ROOT / "runner")
    assert from_wheel == from_checkout
    assert "drills/quarterly/orders-db-lost.yaml" in from_wheel


def test_the_wheel_carries_templates_and_no_leftovers(unpacked):
    assert list((unpacked / "drillmark/report/templates").iterdir())
    assert [path for path in unpacked.rglob("*") if path.suffix == ".pyc" or path.name == "__pycache__"] == []
