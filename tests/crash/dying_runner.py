"""A runner that kills itself at one boundary: `python dying_runner.py WORKSPACE DRILL POINT POINTS_FILE`.

Every place between undo file, intent, effect and outcome is a numbered point. The runner writes each point's name
into POINTS_FILE as it passes, and at number POINT, or at the first of that name, it sends itself SIGKILL. Point 0:
none, the undisturbed run that tells which points there are.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from drillmark import undo
from drillmark.chaos.activities import ActivityWorker
from drillmark.chaos.experiments import ExperimentChild
from drillmark.engine.context import Context


def main() -> int:
    workspace, drill, point, log = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
    passed = 0

    def here(name: str) -> None:
        nonlocal passed
        passed += 1
        with log.open("a") as file:
            file.write(f"{passed} {name}\n")
        if point in (str(passed), name):
            os.kill(os.getpid(), signal.SIGKILL)

    journal, write, send, start = Context.journal, undo.write, ExperimentChild.send, ActivityWorker.start

    def dying_journal(self, kind, data, *, sentence=""):
        name = f"{kind} {data.get('effect', data.get('what', ''))} {data.get('key', '')}".strip()
        here(f"before {name}")
        entry = journal(self, kind, data, sentence=sentence)
        here(f"after {name}")
        return entry

    def dying_write(path, state):
        names = ",".join(child.role for child in state.children)
        here(f"before U {len(state.undoables)} [{names}]")
        write(path, state)
        here(f"after U {len(state.undoables)} [{names}]")

    def dying_send(self, command):
        here(f"before {command}")
        send(self, command)
        here(f"after {command}")

    def dying_start(self, activity, **options):
        start(self, activity, **options)
        here(f"in {activity.get('name')}")

    Context.journal, undo.write, ExperimentChild.send = dying_journal, dying_write, dying_send
    ActivityWorker.start = dying_start

    from drillmark.cli import main as cli

    os.chdir(workspace)
    try:
        cli(["run", drill])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
