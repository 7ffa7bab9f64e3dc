"""A warm child that runs one activity at a time: `python -m drillmark.chaos.worker`.

Reads JSON lines, answers in JSON lines. Runs recoveries, verifications, probes and single undos through chaoslib.
Must never decide what an outcome means, nor how long an activity may take: the parent does.
"""

from __future__ import annotations

import json
import sys
import traceback

from drillmark.chaos import later
from drillmark.chaos.inside import EXIT_SECONDS, Channel, Log, announce, end_within
from drillmark.chaos.redact import Redactor


def main() -> int:
    """Serve until told to exit. The exit code means nothing to anybody."""
    channel = Channel()
    hello = json.loads(channel.receive())
    announce(hello["run_dir"], hello["variables"])
    redactor = Redactor()
    log = Log(channel.log_file, redactor)
    # Late, because chaoslib takes most of a second to import, and the parent may close the channel by then.
    with later.unless_called():
        from drillmark.chaos import performing  # noqa: PLC0415

    performer = performing.Performer(hello, redactor)
    channel.send({"ready": True})
    while True:
        request = json.loads(channel.receive())
        if request["op"] == "exit":
            end_within(EXIT_SECONDS)
            return 0
        channel.send({"id": request["id"], "began": performer.now()})
        try:
            answer = performer.answer(request)
        except BaseException as error:  # noqa: BLE001 - an activity may raise SystemExit; the worker outlives it
            log.write(traceback.format_exc())
            answer = {"status": "failed", "error": redactor.text(f"{type(error).__name__}: {error}")}
        log.drain(to_the_end=True)
        channel.send({"id": request["id"], "ended": performer.now(), **answer})


if __name__ == "__main__":
    sys.exit(main())
