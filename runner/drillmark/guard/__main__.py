"""`python -m drillmark.guard CONFIG`: watches one run until nothing of it is in effect any more."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from drillmark import clock, files, processes
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.guard.watching import Lookout, reason_to_act

_POLL_SECONDS = 0.25
_GO_POLL_SECONDS = (0.002, 0.02)  # at first, and when it takes long
_START_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Config:
    """What the runner told the guard when it started it."""

    run: str
    run_dir: Path
    workspace: Path
    lease_seconds: float
    runner_lost: str
    deadline_ns: int
    hold_seconds: float
    go_within_seconds: float

    @classmethod
    def read(cls, path: Path) -> Config:
        """Read it. Raises OSError, ValueError, KeyError or TypeError where it is not as it should be."""
        body = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            str(body["run"]), Path(body["run_dir"]), Path(body["workspace"]), float(body["lease_seconds"]),
            str(body["runner_lost"]), int(body["deadline_ns"]), float(body["hold_seconds"]),
            float(body["go_within_seconds"]),
        )  # fmt: skip


def main(config_path: Path) -> int:
    """Watch, and act once if it must be."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    config = Config.read(config_path)
    paths = RunPaths(config.run_dir)
    started = clock.monotonic_ns()
    if not _told_to_go(paths, config.go_within_seconds):
        return 3
    me = processes.identify(os.getpid())
    status = {"role": "guard", "state": "ready", "error": "", "stamp": clock.now().as_json()}
    # Not synced: only a runner of this boot asks for it.
    files.write_whole(paths.child("guard", "json"), json.dumps(status | (me.as_json() if me else {})))
    lookout = Lookout(paths, WorkspacePaths(config.workspace), clock.boot_id(), started)

    def reason() -> str:
        if paths.guard_stop.exists():
            return ""
        return reason_to_act(
            lookout.look(clock.monotonic_ns()),
            lease_seconds=config.lease_seconds,
            runner_lost=config.runner_lost,
            deadline_ns=config.deadline_ns,
        )

    while not paths.guard_stop.exists():
        # Acting needs more than watching. It is imported once the start is over, long before it can be needed.
        if reason() or clock.monotonic_ns() - started > _START_SECONDS * 1e9:
            from drillmark.guard.acting import act, tidy_up  # noqa: PLC0415 - see above

            if reason() and act(paths, config.run, reason):
                tidy_up(paths, config.hold_seconds)
                return 0
        time.sleep(_POLL_SECONDS)
    return 0


def _told_to_go(paths: RunPaths, within_seconds: float) -> bool:
    """Wait until this process stands in the undo file and the runner has said go. A runner that ended will not.

    The word names the pid that is meant: a guard that an earlier runner started, and never wrote down, is another.
    """
    go = paths.child("guard", "go")
    runner = os.getppid()
    began = clock.monotonic_ns()
    give_up = began + round(within_seconds * 1e9)
    shortest, longest = _GO_POLL_SECONDS
    while not go.exists():
        if (os.getppid() != runner or clock.monotonic_ns() > give_up) and not go.exists():
            return False
        time.sleep(min(longest, max(shortest, (clock.monotonic_ns() - began) / 1e9 / 100)))
    return go.read_text(encoding="utf-8").strip() == str(os.getpid())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
