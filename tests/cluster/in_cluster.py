"""A real Kubernetes cluster, where one is given, and in it a workspace and what its drills are about.

DRILLMARK_TEST_KUBECONFIG names the kubeconfig, DRILLMARK_TEST_IMAGE an image of Drillmark that the cluster has, or can
pull: what the Dockerfile makes, or anything else whose PATH holds `drillmark` and its `python`.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

import file_drill
from waiting import until

KUBECONFIG, IMAGE = "DRILLMARK_TEST_KUBECONFIG", "DRILLMARK_TEST_IMAGE"
PATIENCE_SECONDS = 300.0
MOUNTED = "/workspace"

needs_cluster = pytest.mark.skipif(not os.environ.get(KUBECONFIG), reason=f"no cluster: {KUBECONFIG} is not set")
needs_image = pytest.mark.skipif(
    not (os.environ.get(KUBECONFIG) and os.environ.get(IMAGE)),
    reason=f"no cluster with an image: {KUBECONFIG} and {IMAGE} are not set",
)

T = TypeVar("T")

# Answers 200 as long as the file is there, as `file_drill.serving` does.
_SHOP = f"""
import http.server, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200 if pathlib.Path("{MOUNTED}/served").exists() else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
# Many provisioners make folders that are root's, and honour no fsGroup.
_FILL = f"""
import os, sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
    tar.extractall("{MOUNTED}")
for top, folders, names in os.walk("{MOUNTED}"):
    for name in [".", *folders, *names]:
        os.chown(os.path.join(top, name), 65534, 65534)
"""


def kubectl(*arguments: str, stdin: str | bytes = b"", seconds: float = 120, check: bool = True) -> str:
    """What kubectl says; where it fails, and `check`, the test does."""
    content = stdin.encode() if isinstance(stdin, str) else stdin
    command = ["kubectl", "--kubeconfig", os.environ[KUBECONFIG], *arguments]
    done = subprocess.run(command, input=content, capture_output=True, timeout=seconds, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(arguments)}: {done.stderr.decode()}"
    return done.stdout.decode()


def wait_for(what: Callable[[], T], words: str, seen: Callable[[], object] = str) -> T:
    """What it gives, as soon as that is something; asked for by kubectl, and so not too often."""
    return until(what, lambda: f"{words}; {seen()}", seconds=PATIENCE_SECONDS, every=0.5)


class Place:
    """A namespace of its own: a claim with a workspace, and the shop, a pod whose file the drill loses."""

    claim = "drillmark-workspace"

    def __init__(self, namespace: str, local: Path) -> None:
        self.namespace = namespace
        self.local = local
        self.image = os.environ[IMAGE]

    def kubectl(self, *arguments: str, **more: Any) -> str:
        """In this namespace."""
        return kubectl("--namespace", self.namespace, *arguments, **more)

    def apply(self, *manifests: dict[str, Any]) -> None:
        """Make it so."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def get(self, *arguments: str) -> dict[str, Any]:
        """As the API tells it; empty where there is none."""
        text = self.kubectl("get", *arguments, "--output", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else {}

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """The pods with these labels."""
        return self.get("pods", "--selector", selector).get("items", [])

    def make(self, **fields: Any) -> None:
        """The workspace in the claim, with the drill of `file_drill`, and the shop that serves."""
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        shop = {
            "containers": [
                {
                    "name": "shop", "image": self.image, "command": ["python", "-c", _SHOP],
                    "securityContext": {"runAsUser": 0},
                    "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
                    "volumeMounts": [{"name": "workspace", "mountPath": MOUNTED}],
                }
            ],
            "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": self.claim}}],
        }  # fmt: skip
        labels = {"app": "shop"}
        named = {"name": self.claim}
        self.apply(
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": named, "spec": claim},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop", "labels": labels}, "spec": shop},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
             "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}},
        )  # fmt: skip
        self.kubectl("wait", "--for=condition=Ready", "--timeout=240s", "pod/shop", seconds=260)
        self.fill(**fields)

    def fill(self, **fields: Any) -> None:
        """Write the drill, here and there; its address and its file are those of the shop."""
        self.local.mkdir(exist_ok=True)
        file_drill.make(self.local, ("http://shop", self.local / "served"), **fields)
        for path in self.local.rglob("*.yaml"):
            path.write_text(path.read_text().replace(str(self.local), MOUNTED))
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(self.local, ".")
        self.kubectl("exec", "--stdin", "shop", "--", "python", "-c", _FILL, stdin=packed.getvalue())

    def look(self, code: str) -> Any:
        """What an expression of Python gives in the workspace, by way of the shop's pod; `root` is its path."""
        script = f"import json, pathlib, sqlite3; root = pathlib.Path({MOUNTED!r}); print(json.dumps({code}))"
        return json.loads(self.kubectl("exec", "shop", "--", "python", "-c", script))

    def serves(self) -> bool:
        """Whether the file is there, and nothing lies aside."""
        return self.look('(root / "served").exists() and not (root / "aside").exists()')

    def is_lost(self) -> bool:
        """Whether the fault is in effect."""
        return self.look('(root / "aside").exists()')

    def results(self) -> list[dict[str, Any]]:
        """The results of the runs in the workspace, oldest first."""
        return self.look('[json.loads(p.read_text()) for p in sorted(root.glob("reports/runs/*/result.json"))]')

    def left_to_undo(self) -> list[Any]:
        """What the undo files of all runs still name."""
        return self.look(
            '[one for p in root.glob("reports/runs/*/undo.json") for one in json.loads(p.read_text())["undoables"]]'
        )


def ended(pod: dict[str, Any]) -> dict[str, Any] | None:
    """How a pod's only container ended, once it has."""
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    return statuses[0].get("state", {}).get("terminated")
