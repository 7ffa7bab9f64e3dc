"""What runs Drillmark where it is operated: the unit by systemd's own checker, and the entry point as in the image.

No builder of images is needed: the entry point is run as uid 65534, with everything read-only but a workspace and /tmp.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import debian

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "drillmark-worker.service"
DOCKERFILE = ROOT / "Dockerfile"


def may_mount() -> bool:
    if os.geteuid() != 0:
        return False
    script = "mount -t tmpfs none /tmp && mount --bind / /mnt && mount -o remount,ro,bind /mnt"
    return subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, check=False).returncode == 0


@debian.needs("systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    text = UNIT.read_text()
    assert "/opt/drillmark/bin/drillmark worker" in text
    unit = tmp_path / UNIT.name
    program = f'"{Path(sys.executable).with_name("drillmark")}"'
    unit.write_text(text.replace("/opt/drillmark/bin/drillmark", program))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    unit.write_text(text.replace("KillMode=mixed", "KillMode=mixd"))
    assert (
        "kill mode"
        in subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        ).stderr
    )


def test_the_image_is_not_root_and_starts_a_worker():
    text = DOCKERFILE.read_text()
    (last,) = re.findall(r"^USER (.+)$", text, re.MULTILINE)
    assert last == "65534:65534"
    assert re.search(r'^ENTRYPOINT \["drillmark"\]\nCMD \["worker"\]$', text, re.MULTILINE)
    extras = re.search(r"'\.\[(.+)\]'", text)
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras[1].split(","))


def hidden(path: Path) -> Path | None:
    """The topmost folder above it that others may not enter: uid 65534 would not find what it needs there."""
    return next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None)


@pytest.mark.skipif(not may_mount(), reason="needs root, and a kernel that lets it mount in a namespace of its own")
def test_the_entry_point_runs_as_nobody_where_all_is_read_only(tmp_path):
    experiment = {
        "title": "a note is written and taken away",
        "description": "x",
        "method": [sh("write", "echo here > $PWD/note")],
        "rollbacks": [sh("take away", "rm $PWD/note")],
    }
    needed = sorted(
        {Path(sys.base_prefix).resolve(), Path(sys.prefix), ROOT / "runner", ROOT / "reports" / "templates"}
    )
    script = shlex.quote(as_nobody(Path(sys.executable).with_name("drillmark")))
    clean = "env -i HOME=/tmp PATH=/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1"
    # What is needed may itself lie in /tmp: it is put aside before that is covered.
    lines = ["set -e", "mount -t tmpfs none /mnt"]
    for number, path in enumerate(needed):
        lines += [f"mkdir /mnt/{number}", f"mount --bind {shlex.quote(str(path))} /mnt/{number}"]
    lines += ["mount -t tmpfs -o mode=1777 none /tmp", "mkdir /tmp/run"]
    for folder in sorted({found for path in needed if (found := hidden(path)) is not None}):
        lines.append(f"mount -t tmpfs -o mode=755 none {shlex.quote(str(folder))}")
    for number, path in enumerate(needed):
        quoted = shlex.quote(str(path))
        lines += [
            f"mkdir -p {quoted}",
            f"mount --bind /mnt/{number} {quoted}",
            f"mount -o remount,ro,bind {quoted}",
        ]
    lines += [
        "for each in / /root /home /var /srv /opt; do",
        "  ! mountpoint -q $each || mount -o remount,ro,bind $each 2>/dev/null || mount -o remount,ro $each || true",
        "done",
        f"printf %s {shlex.quote(json.dumps(experiment))} > /tmp/run/experiment.json",
        "chown -R 65534:65534 /tmp/run",
        "cd /tmp/run",
        f"exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs {clean} sh -c {script}",
    ]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(lines)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uid 65534" in done.stdout
    assert "root is read-only" in done.stdout
    assert "drillmark, version" in done.stdout
    assert '"exit_code": 0' in done.stdout


def sh(name: str, script: str) -> dict:
    return {"name": name, "type": "action", "provider": {"type": "process", "path": "sh", "arguments": ["-c", script]}}


def as_nobody(program: Path) -> str:
    quoted = shlex.quote(str(program))
    return "\n".join(
        [
            'echo "uid $(id -u)"',
            "! touch /not-here 2>/dev/null && echo root is read-only",
            f"{quoted} --version",
            f"{quoted} experiment experiment.json --json",
            "code=$?",
            "[ ! -e $PWD/note ] || exit 9",
            "exit $code",
        ]
    )
