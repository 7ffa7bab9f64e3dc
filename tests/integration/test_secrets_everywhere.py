"""Secrets planted everywhere in one whole drill; then all that the run left is searched for their values."""

from __future__ import annotations

import base64
import configparser
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import yaml
from psycopg.conninfo import make_conninfo

from file_drill import DRILL, activity, make, put_back, serving

TOKEN = "tok-9f8e7d6c5b4a-planted"
KEY = "key-1a2b3c4d5e6f-planted"

pytestmark = pytest.mark.lab


def dsn_with_password(environment: dict[str, str]) -> tuple[str, str]:
    """The lab's DSN with its password in it, as many people's are; and the password."""
    services = configparser.ConfigParser()
    services.read(environment["PGSERVICEFILE"])
    service = dict(services["orders"])
    for line in Path(environment["PGPASSFILE"]).read_text().splitlines():
        fields = line.split(":")
        if fields[3] == service["user"]:
            return make_conninfo(**service, password=fields[4]), fields[4]
    raise AssertionError("no password for the service's user")


def watch_command_lines(stop: threading.Event, needles: list[str], found: list[str]) -> None:
    while not stop.is_set():
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            if any(needle in line for needle in needles) and "leak-on-purpose" not in line:
                found.append(line)
        time.sleep(0.1)


def test_no_value_of_a_secret_is_left_anywhere(tmp_path, shared_lab):
    dsn, password = dsn_with_password(shared_lab.environment)
    served = tmp_path / "the file"
    shout = {
        "name": "shout", "type": "action",
        "provider": {"type": "process", "path": "sh", "arguments": ["-c", "echo $PLANTED_TOKEN; echo $PLANTED_TOKEN >&2"]},
    }  # fmt: skip
    ask = {
        "name": "ask", "type": "probe", "tolerance": [200, 503],
        "provider": {"type": "http", "url": "", "headers": {"Authorization": "Bearer ${token}"}, "secrets": ["api"]},
    }  # fmt: skip
    fail = activity("fail", "drillmark_planted", "fail")
    fail["provider"]["secrets"] = ["api"]
    with serving(served) as url:
        ask["provider"]["url"] = url
        root = make(
            tmp_path / "ws", (url, served), rollbacks=[put_back(served), shout],
            recover=[shout, activity("copy-back", "shutil", "copyfile", src=str(served.with_name("aside")), dst=str(served))],
            verify=[ask, fail],
        )  # fmt: skip
        (root / "drillmark_planted.py").write_text(
            "def fail(secrets=None):\n"
            "    print('stdout', secrets)\n"
            "    raise RuntimeError(f'cannot log in with {secrets}')\n"
        )
        targets = yaml.safe_load((root / "targets.yaml").read_text())
        targets["secrets"] = {
            "api": {"token": {"type": "env", "key": "PLANTED_TOKEN"}, "key": {"type": "env", "key": "PLANTED_KEY"}},
            "store": {"dsn": {"type": "env", "key": "PLANTED_DSN"}},
        }
        targets["targets"]["the-file"]["markers"] = {"store": "postgres", "secrets": "store"}
        (root / "targets.yaml").write_text(yaml.safe_dump(targets))
        needles = [TOKEN, KEY, password]
        environment = os.environ | {
            "PLANTED_TOKEN": TOKEN, "PLANTED_KEY": KEY, "PLANTED_DSN": dsn, "PYTHONPATH": str(root),
        }  # fmt: skip
        leaked: list[str] = []
        stop = threading.Event()
        watcher = threading.Thread(target=watch_command_lines, args=(stop, needles, leaked))
        watcher.start()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "drillmark", "run", DRILL],
                cwd=root, env=environment, capture_output=True, text=True, timeout=150, check=False,
            )  # fmt: skip
        finally:
            stop.set()
            watcher.join()
    # The failing verification voids the recovery; everything else really happened.
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cannot log in with" in done.stdout + "".join(
        path.read_text(errors="replace") for path in (root / "reports").rglob("result.json")
    )
    assert not leaked
    needles += [base64.b64encode(needle.encode()).decode() for needle in needles]
    for name, text in [("stdout", done.stdout.encode()), ("stderr", done.stderr.encode()), *files_of(root)]:
        for needle in needles:
            assert needle.encode() not in text, f"{needle} stands in {name}"


def files_of(root: Path) -> list[tuple[str, bytes]]:
    files = [path for folder in ("reports", ".drillmark") for path in (root / folder).rglob("*") if path.is_file()]
    assert len(files) > 15
    return [(str(path), path.read_bytes()) for path in files]
