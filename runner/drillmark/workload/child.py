"""The load process: `python -m drillmark.workload.child CONFIG.json`. Outlives the runner, as observers do.

gevent must patch the standard library before anything else is imported, so this module imports nothing of weight at
its top. Locust's web interface, its command line, its signal handlers and its exit codes take no part.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drillmark.observe.child import Child


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
    from drillmark.workload import locustfile, output  # noqa: PLC0415

    output.mask(me.redactor.text)
    workspace = me.config.get("workspace")
    if workspace:
        os.chdir(workspace)
    path = Path(me.config["locustfile"])
    users = int(me.config["users"])
    rate = float(me.config["spawn_rate_per_second"])
    own, wanted = int(me.config.get("processes") or 1), int(me.config.get("workers") or 0)
    how: dict[str, Any] = {
        "users": users,
        "spawn_rate_per_second": rate,
        "stop": lambda: me.stop_requested or me.remaining_seconds <= 0,
        "on_first_request": lambda: me.report("ready"),
    }
    if own > 1 or wanted:
        from drillmark.workload.leading import Leader  # noqa: PLC0415

        environment = locustfile.environment(
            locustfile.load(path), path, users=users, spawn_rate_per_second=rate, host=me.config.get("host")
        )
        host, port = str(me.config.get("master_host") or "127.0.0.1"), int(me.config.get("master_port") or 0)
        Leader(me, environment, host=host, port=port, own=0 if wanted else own, wanted=wanted).run(**how)
        return

    from drillmark.workload.local import LocalLoad  # noqa: PLC0415
    from drillmark.workload.recorder import Recorder  # noqa: PLC0415

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
    LocalLoad(environment, recorder, counts, path).run(**how)
    requests.close()
    counts.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
