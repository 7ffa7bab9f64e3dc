"""Another clock for every Python process that has this folder first on its PYTHONPATH: the runner's and its children's.

`DRILLMARK_TEST_CLOCK` is JSON: `boot` and `host` replace the machine's own, `monotonic_offset_ns` is added to the
monotonic clock, and the file `wall_offset` holds the seconds by which the wall clock is off, read anew at each look,
so that a test can step it in the middle of a drill. The machine's own clocks are never touched.
"""

import json
import os
import time
from pathlib import Path


def install(settings):
    from drillmark import clock
    from drillmark.model.stamp import Stamp

    host, boot = settings.get("host") or clock.host(), settings.get("boot") or clock.boot_id()
    offset_ns = int(settings.get("monotonic_offset_ns", 0))
    wall_offset = Path(settings.get("wall_offset", os.devnull))

    def monotonic_ns():
        return time.monotonic_ns() + offset_ns

    def now():
        try:
            off_ns = round(float(wall_offset.read_text() or 0) * 1e9)
        except (OSError, ValueError):
            off_ns = 0
        return Stamp(monotonic_ns=monotonic_ns(), wall_ns=time.time_ns() + off_ns, host=host, boot=boot)

    clock.boot_id, clock.host, clock.monotonic_ns, clock.now = (lambda: boot), (lambda: host), monotonic_ns, now


if "DRILLMARK_TEST_CLOCK" in os.environ:
    install(json.loads(os.environ["DRILLMARK_TEST_CLOCK"]))
