"""The tutorial does what it says: every command in it is run, in its order, in one shell, on a real server."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from drillmark import postgres

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
PORT = "54320"
DEADLINE_SECONDS = 240


def script() -> str:
    """The shell blocks of the tutorial, but for the one that installs."""
    text = TUTORIAL.read_text(encoding="utf-8")
    text = re.sub(r"<!-- not run by the test.*?-->\n```sh\n.*?^```\n", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) > 8
    return "set -eu\n" + "\n".join(f"echo '--- block {number}'\n{block}" for number, block in enumerate(blocks))


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.mark.drill
@pytest.mark.realtime
def test_every_command_of_the_tutorial_works(tmp_path):
    folder = tmp_path / "first drill"
    folder.mkdir()
    text = script()
    assert text.count(PORT) == 2
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DRILLMARK_RUN"))}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    (folder / "tutorial.sh").write_text(text.replace(PORT, str(free_port())))
    log = tmp_path / "log"
    # It is written for an ordinary user; as root all of it runs as the user that PostgreSQL is run as.
    postgres.hand_over(tmp_path)
    with log.open("w") as output:
        shell = subprocess.Popen(
            postgres.command(["bash", "tutorial.sh"]),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = shell.wait(DEADLINE_SECONDS)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
                shell.wait()
            for data in [folder / "shop/data", *folder.glob("shop/restored/*/")]:
                postgres.stop(data, "kill")
    said = log.read_text()
    assert status == 0, said
    assert "exit code 1\n" in said, said  # without a backup it refuses
    assert re.findall(r"^ *(\d+)$", said, flags=re.MULTILINE) == ["10000", "10000"], said
    gaps = [yaml.safe_load(path.read_text()) for path in folder.glob("workspace/reports/gaps/GAP-*.yaml")]
    assert {(gap["drill"], gap["state"]) for gap in gaps} == {("shop-db-lost", "open")}, said
    assert "preflight" in {gap["objective"] for gap in gaps}, said
