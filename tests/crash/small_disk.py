"""A small file system in a mount namespace of its own, to be filled. Nothing outside sees it; it goes with its holder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

_HOLD = 'mount -t tmpfs -o size=8m tmpfs "$0" && echo mounted && exec sleep 900'


class SmallDisk:
    """Eight megabytes at `place`. `why_not` says why there are none, where the system refuses that."""

    def __init__(self, place: Path) -> None:
        place.mkdir(parents=True)
        self.place = place
        self.why_not = ""
        self._user = [] if os.getuid() == 0 else ["--map-root-user"]
        if not (shutil.which("unshare") and shutil.which("nsenter")):
            self.why_not = "there is no unshare or no nsenter"
            return
        self._holder = subprocess.Popen(
            ["unshare", "--mount", *self._user, "sh", "-c", _HOLD, str(place)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "mounted\n":
            self.why_not = self._holder.communicate()[1].strip() or "it was refused"

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command that sees it."""
        return subprocess.run(self.command(command), capture_output=True, text=True, check=False, **options)

    def command(self, command: list[str]) -> list[str]:
        """The command that runs another one inside."""
        if self.why_not:
            return command
        user = ["--user", "--preserve-credentials"] if self._user else []
        return ["nsenter", f"--target={self._holder.pid}", "--mount", *user, *command]

    def drillmark(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in it."""
        shell = ["sh", "-c", 'cd "$0" && exec "$@"', str(self.place)]
        return self.run([*shell, sys.executable, "-m", "drillmark", *arguments], timeout=240)

    @property
    def seen(self) -> Path:
        """Where its files are seen from outside."""
        return self.place if self.why_not else Path(f"/proc/{self._holder.pid}/root{self.place}")

    def close(self) -> None:
        """Take it away."""
        if not self.why_not:
            self._holder.kill()
            self._holder.communicate()
