"""One worker of a load in several processes: `python -m drillmark.workload.worker CONFIG.json`, or on its own machine.

Locust's master says how many users of which class run here; what they do is recorded here, into sample files of
this worker's own. A worker on another machine also sends their bytes to the master, as they grow. Must never run
users that nobody records: it ends with its parent, with its master, and at its deadline.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillmark.observe.child import Child


def main(arguments: list[str]) -> int:
    """Entry point of a process on the master's machine; returns its exit code."""
    from gevent import monkey  # noqa: PLC0415  # before any other import

    monkey.patch_all()

    from drillmark.observe import child  # noqa: PLC0415

    return child.run(arguments, work)


def work(me: Child) -> None:
    """Load as the master says, until it says end, SIGTERM, or the deadline. Raises DrillmarkError, OSError."""
    import os  # noqa: PLC0415

    from drillmark.workload import output  # noqa: PLC0415
    from drillmark.workload.following import Follower  # noqa: PLC0415

    output.mask(me.redactor.text)
    workspace = me.config.get("workspace")
    if workspace:
        os.chdir(workspace)
    index = int(me.config["index"])
    Follower(me, me.redactor.text, index=index, parent=int(me.config["parent"])).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
