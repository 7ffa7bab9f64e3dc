"""Runs `chaos run --rollback-strategy=always` on each experiment, in a process of its own each.

Chaos Toolkit is imported once and the process forked, because importing it takes longer than an experiment.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from chaostoolkit.__main__ import cli

OPTIONS = ["--no-version-check", "--no-log-file", "--settings", "none"]


def main() -> None:
    directory = Path(sys.argv[1])
    environments = json.loads((directory / "environments.json").read_text())
    for experiment in map(Path, sys.argv[2:]):
        place = directory / experiment.stem
        child = os.fork()
        if child == 0:
            log = os.open(place / "log", os.O_WRONLY | os.O_CREAT)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ.update(environments[experiment.stem])
            os.chdir(place)
            arguments = [*OPTIONS, "run", "--rollback-strategy=always", "--journal-path", "journal.json"]
            cli([*arguments, str(experiment)])
        os.waitpid(child, 0)
        (place / "done").touch()


if __name__ == "__main__":
    main()
