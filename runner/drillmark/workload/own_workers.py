"""The workers that a load's master starts on its own machine, as processes of its own group."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from drillmark import files
from drillmark.observe.child import Child

_END_SECONDS = 1.0


class OwnWorkers:
    """Starts `count` workers at once. They end with this process, and at the run's deadline."""

    def __init__(self, me: Child, count: int, host: str, port: int) -> None:
        self._children = me.run_dir / "children"
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for index in range(1, count + 1):
            role = f"load-{index}"
            for suffix in ("json", "go"):
                (self._children / f"{role}.{suffix}").unlink(missing_ok=True)
            config = me.config | {
                "index": index, "parent": os.getpid(), "master_host": host, "master_port": port,
                "run": me.run, "run_dir": str(me.run_dir), "deadline_ns": me.deadline_ns,
            }  # fmt: skip
            path = self._children / f"{role}.config.json"
            files.write_durably(path, json.dumps(config))
            # In the group of the load, so that whoever ends the load ends them too.
            process = subprocess.Popen(
                [sys.executable, "-m", "drillmark.workload.worker", str(path)], stdin=subprocess.DEVNULL
            )
            self._processes[index] = process
            files.write_whole(self._children / f"{role}.go", str(process.pid))

    def gone(self) -> dict[int, str]:
        """Those that have ended, and why."""
        return {
            index: self._why(index, process.returncode)
            for index, process in self._processes.items()
            if process.poll() is not None
        }

    def end(self) -> None:
        """End those that live still: TERM, then KILL."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _why(self, index: int, code: int) -> str:
        status = files.read_json(self._children / f"load-{index}.json") or {}
        return str(status.get("error") or "") or (f"killed by signal {-code}" if code < 0 else f"it ended ({code})")
