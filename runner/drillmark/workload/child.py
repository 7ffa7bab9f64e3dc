"""The load process: `python -m drillmark.workload.child CONFIG.json`. Outlives the runner, as observers do.

gevent must patch the standard library before anything else is imported, so this module imports nothing of weight at
its top. Locust's web interface, its command line, its signal handlers and its exit codes take no part.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from drillmark.observe.child import Child

_LOG_LINES = 500


def main(arguments: list[str]) -> int:
    """Entry point of the process; returns its exit code."""
    from gevent import monkey  # noqa: PLC0415  # before any other import

    monkey.patch_all()

    from drillmark.observe import child  # noqa: PLC0415

    return child.run(arguments, work)


def work(me: Child) -> None:
    """Load as the config says, until SIGTERM or the deadline. Raises DrillmarkError, OSError."""
    import os  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    import locust  # noqa: PLC0415

    from drillmark import samples  # noqa: PLC0415
    from drillmark.model.stamp import NANOSECONDS  # noqa: PLC0415
    from drillmark.observe.child import ChildError  # noqa: PLC0415
    from drillmark.workload import locustfile  # noqa: PLC0415
    from drillmark.workload.local import LocalLoad  # noqa: PLC0415
    from drillmark.workload.recorder import Recorder  # noqa: PLC0415

    if int(me.config.get("processes") or 1) != 1:
        raise ChildError("load in several processes does not work yet", hint="say processes: 1")
    _mask_output(me.redactor.text)
    workspace = me.config.get("workspace")
    if workspace:
        os.chdir(workspace)
    path = Path(me.config["locustfile"])
    users = int(me.config["users"])
    rate = float(me.config["spawn_rate_per_second"])
    requests = samples.SampleWriter(me.samples("load"), samples.LOAD, {"run": me.run, "users": users})
    recorder = Recorder(requests, me.redactor.text)
    # Before the user's file adds its own: a listener there may stop the ones that come after it.
    locust.events.request.add_listener(recorder.on_request)
    classes = locustfile.load(path)
    environment = locustfile.environment(
        classes, path, users=users, spawn_rate_per_second=rate, host=me.config.get("host")
    )
    counts = samples.SampleWriter(
        me.samples("load-users"), samples.LOAD_USERS, {"run": me.run, "period_ns": NANOSECONDS}
    )
    load = LocalLoad(environment, recorder, counts, path)
    load.run(
        users=users,
        spawn_rate_per_second=rate,
        stop=lambda: me.stop_requested or me.remaining_seconds <= 0,
        on_first_request=lambda: me.report("ready"),
    )
    requests.close()
    counts.close()


def _mask_output(mask: Callable[[str], str]) -> None:
    """Send what Locust logs and the user's file prints through the redactor, and only so much of it."""
    import logging  # noqa: PLC0415

    out = _Masked(sys.stderr, mask)
    sys.stdout = sys.stderr = out  # type: ignore[assignment]
    logging.basicConfig(stream=out, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


class _Masked:
    """A text stream without secrets, that falls silent after so many lines."""

    def __init__(self, stream: TextIO, mask: Callable[[str], str]) -> None:
        self._stream = stream
        self._mask = mask
        self._lines = 0

    def write(self, text: str) -> int:
        """Write masked text."""
        if self._lines <= _LOG_LINES:
            self._lines += text.count("\n")
            self._stream.write(self._mask(text))
            if self._lines > _LOG_LINES:
                self._stream.write("[further output is left out]\n")
        return len(text)

    def flush(self) -> None:
        """Pass it on."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Never."""
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
