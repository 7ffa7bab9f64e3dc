"""Prints a page to PDF by Chromium, where there is one. The page is a local file, and Chromium reaches no network.

Must never leave a browser running, nor a profile behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from drillmark.errors import UsageError

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
# As long as a slow machine may take for a page with a million requests behind it.
_DEADLINE_SECONDS = 180.0
_DRAWING_MS = 10_000
_TOLD = 300


def browser() -> str:
    """The Chromium of this machine. Raises UsageError where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise UsageError(
            "a PDF needs Chromium, and there is none on this machine",
            hint="install chromium, or open report.html in any browser and print it to a file",
        )
    return found


def print_page(page: Path, *, program: str = "") -> bytes:
    """The page as PDF. Raises UsageError where Chromium cannot be had, or does not do it."""
    program = program or browser()
    with tempfile.TemporaryDirectory(prefix="drillmark-print-", ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "page.pdf"
        command = [
            program,
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-extensions",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder}/profile",
            # Charts are drawn by a script: time is let pass until it has.
            f"--virtual-time-budget={_DRAWING_MS}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={made}",
            *_as_root(),
            page.resolve().as_uri(),
        ]
        said = _ran(command)
        try:
            content = made.read_bytes()
        except OSError as error:
            raise UsageError(f"{program} printed nothing: {said or 'it gave no reason'}") from error
    if not content.startswith(b"%PDF-"):
        raise UsageError(f"what {program} printed is no PDF")
    return content


def _as_root() -> list[str]:
    # Chromium refuses its sandbox to root. The page runs no script but ours, and nothing is fetched.
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def _ran(command: list[str]) -> str:
    """Run it to its end, with all that it starts. What it complained about."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as child:
        try:
            _, said = child.communicate(timeout=_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            _end_group(child.pid)
            child.communicate()
            raise UsageError(
                f"{command[0]} did not print the page within {_DEADLINE_SECONDS:.0f} s", hint="try again, or by hand"
            ) from None
        except BaseException:
            _end_group(child.pid)
            raise
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:_TOLD] if lines else ""


def _end_group(group: int) -> None:

    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
