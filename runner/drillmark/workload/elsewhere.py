"""A worker on another machine: `python -m drillmark.workload.elsewhere HOST PORT LOCUSTFILE SECONDS`.

What `drillmark join` becomes. It waits so long for the master, records into a folder of its own, and sends the bytes.
It knows no secrets of the drill, so no text but status codes and names of exceptions leaves it.
"""

from __future__ import annotations

import os
import re
import sys

_PLAIN = re.compile(r"\w{1,60}")


def main(arguments: list[str]) -> int:
    """Entry point of the process; returns its exit code."""
    from gevent import monkey  # noqa: PLC0415  # before any other import

    monkey.patch_all()

    import signal  # noqa: PLC0415
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from drillmark import clock  # noqa: PLC0415
    from drillmark.errors import EXIT_INTERNAL, EXIT_PASSED, DrillmarkError  # noqa: PLC0415
    from drillmark.model.stamp import NANOSECONDS  # noqa: PLC0415
    from drillmark.observe.child import Child  # noqa: PLC0415
    from drillmark.workload.following import Follower  # noqa: PLC0415

    host, port, locustfile, seconds = arguments
    os.umask(0o077)
    with tempfile.TemporaryDirectory(prefix="drillmark-load-") as folder:
        me = Child(
            "load-worker",
            "",
            Path(folder),
            clock.monotonic_ns() + round(float(seconds) * NANOSECONDS),
            {"locustfile": locustfile, "master_host": host, "master_port": int(port), "join_seconds": float(seconds)},
        )

        def stop(_number: int, _frame: object) -> None:
            me.stop_requested = True

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        try:
            Follower(me, _harmless).run()
        except (DrillmarkError, OSError) as error:
            sys.stderr.write(f"error: {error}\n")
            return EXIT_INTERNAL
    return EXIT_PASSED


def _harmless(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else "(words of the user's file)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
