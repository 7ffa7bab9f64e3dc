"""The command `drillmark`, and `python -m drillmark`: the command line, and what is begun before that is imported.

Must never begin anything that the command line could not still drop.
"""

from __future__ import annotations

import os
import sys

from drillmark import inherited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from drillmark.chaos.ahead import Ahead


def main() -> None:
    """Run the command line. A bare experiment waits for Chaos Toolkit: its import begins first."""
    inherited.mend()
    if sys.argv[1:2] == ["experiment"]:
        from drillmark.chaos import ahead  # noqa: PLC0415 - nothing but this is wanted yet

        begun = ahead.begin()
        if begun is not None:
            _experiment(begun)
    from drillmark.cli import main as command_line  # noqa: PLC0415 - as above

    command_line()


def _experiment(begun: Ahead) -> NoReturn:
    """The command line with that child. What Python does at its end, taking its modules apart, is left out."""
    code = 1
    try:
        from drillmark.cli import main as command_line  # noqa: PLC0415 - as above

        command_line(obj=begun)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        code = 3  # as `errors.EXIT_ABORTED`, which may not be imported yet
    finally:
        begun.drop()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    main()
