"""How this command was started, so that a command that is printed to be typed next can be typed as it stands.

Must never change what is written into a file: a report is read on other machines.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_NAME = "drillmark"


def command(*, anywhere: bool = False) -> str:
    """`drillmark` where the shell finds it, else the program in the environment of this Python, or that module.

    `anywhere`: as it can be typed in other folders than this one.
    """
    started = Path(sys.argv[0])
    if shutil.which(_NAME) or (started.name != _NAME and started.parts[-2:] != (_NAME, "__main__.py")):
        return _NAME  # or whoever started it is no shell
    python = Path(sys.executable)
    program = python.parent / _NAME
    if program.is_file():
        return _shown(program, anywhere=anywhere)
    return f"{_shown(python, anywhere=anywhere)} -m {_NAME}"


def _shown(path: Path, *, anywhere: bool) -> str:
    import shlex

    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) and not anywhere else path))
