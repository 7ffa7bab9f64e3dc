"""A system under test that is a file and a small web server: a whole drill in seconds, no lab.

The fault moves the file away; by default the recovery copies it back and the undo removes what was moved.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import http_servers

DRILL = "drills/file-lost.yaml"


@contextmanager
def serving(served: Path) -> Iterator[str]:
    """Answers 200 as long as the file is there; gives the URL."""
    served.write_text("up")

    class Handler(http_servers.Handler):
        def do_GET(self):
            self.answer(200 if served.exists() else 503)

    with http_servers.at(Handler) as url:
        yield f"{url}/"


def activity(name: str, module: str, func: str, tolerance=None, **arguments) -> dict:
    kind = "action" if tolerance is None else "probe"
    made = {
        "name": name,
        "type": kind,
        "provider": {"type": "python", "module": module, "func": func, "arguments": arguments},
    }
    return made if tolerance is None else made | {"tolerance": tolerance}


def make(
    root: Path,
    service: tuple[str, Path],
    *,
    objectives=None,
    soak="2s",
    settings=None,
    method=None,
    rollbacks=None,
    **fields: Any,
) -> Path:
    url, served = service
    served.write_text("up")
    aside = served.with_name("aside")
    aside.unlink(missing_ok=True)
    read = {"name": "read", "type": "probe", "tolerance": 200, "provider": {"type": "http", "url": url, "timeout": 10}}
    gone = activity("is-gone", "os.path", "exists", tolerance=True, path=str(aside))
    texts = {
        "drillmark.yaml": settings or {},
        "targets.yaml": {"targets": {"the-file": {"environment": "test", "probes": ["read"], "effect": "is-gone", "activities": [read, gone]}}},
        "experiments/file-lost.yaml": {
            "title": "x", "description": "x",
            "method": method or [activity("lose", "shutil", "move", src=str(served), dst=str(aside))],
            "rollbacks": rollbacks or [activity("remove-what-was-moved", "os", "remove", path=str(aside))],
        },
        DRILL: {
            "id": "file-lost", "title": "The file is lost and copied back", "owner": "team", "target": "the-file",
            "fault": "experiments/file-lost.yaml",
            "objectives": objectives or {"rto": "30s", "slo": {"availability": "90%"}},
            "phases": {"baseline": "1500ms", "soak": soak, "hold": "1s", "recover": {"deadline": "1m"}},
            "recover": [activity("copy-back", "shutil", "copyfile", src=str(aside), dst=str(served))],
            "risk": {"likelihood": "high", "impact": "high"},
        } | fields,
    }  # fmt: skip
    texts[DRILL] = {key: value for key, value in texts[DRILL].items() if value is not None}
    for name, value in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(yaml.safe_dump(value))
    return root


def drillmark(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "drillmark", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=240, check=False)


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """The same, without waiting."""
    command = [sys.executable, "-m", "drillmark", *arguments]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def put_back(served: Path) -> dict[str, Any]:
    """A rollback that undoes the loss; harmless where nothing was lost, or the file is there again."""
    script = f"[ ! -e '{served.with_name('aside')}' ] || mv '{served.with_name('aside')}' '{served}'"
    return {
        "name": "put-back",
        "type": "action",
        "provider": {"type": "process", "path": "sh", "arguments": ["-c", script]},
    }


def pause(seconds: float) -> dict[str, Any]:
    """An action that takes its time."""
    provider = {"type": "process", "path": "sleep", "arguments": [str(seconds)]}
    return {"name": "wait", "type": "action", "provider": provider}
