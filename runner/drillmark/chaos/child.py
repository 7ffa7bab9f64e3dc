"""Runs one experiment: `python -m drillmark.chaos.child`. Its parent holds its standard input.

The first line is the request (see `ExperimentChild.start`). The child validates and configures the experiment, writes
`ready` to the event log and waits for `go`. It runs the hypothesis and the method, writes `method_completed` and waits:
for `finish` (hypothesis after, then all rollbacks) or `undo` (all rollbacks at once). End of file: its whole process
group is killed at once. Signals are the parent's business. Must never begin anything before `go`, nor end by itself
with a fault in place, nor write a secret's value anywhere.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from drillmark.chaos import later
from drillmark.chaos.events import EventLog, What
from drillmark.chaos.inside import EXIT_SECONDS, Channel, Log, announce, end_within
from drillmark.chaos.redact import Redactor
from drillmark.forked import retitle

DONE = 0
GAVE_UP = 1


def main() -> int:
    """Run the experiment that the parent asks for. The event log tells how it went, the exit code only whether."""
    channel = Channel()
    redactor = Redactor()
    return _serve(channel, Log(channel.log_file, redactor), redactor)


def ahead() -> int:
    """The same in a child that was forked before anything was known: the request tells where its log is."""
    channel = Channel()
    redactor = Redactor()
    return _serve(channel, Log(None, redactor), redactor)


def _serve(channel: Channel, log: Log, redactor: Redactor) -> int:
    # Before anything is asked, so that its import is done by then; after the channel is there, which the parent may
    # close meanwhile.
    unfit = _import_chaoslib()
    request: dict[str, Any] = json.loads(channel.receive())
    if "log" in request:
        log.open(Path(request["log"]))
        os.environ.update(request["environment"])
        retitle(f"drillmark-chaos {request['run_dir']}")
    code = _answer(request, channel, log, redactor, unfit)
    end_within(EXIT_SECONDS)
    return code


def _answer(request: dict[str, Any], channel: Channel, log: Log, redactor: Redactor, unfit: Exception | None) -> int:
    try:
        events = EventLog(Path(request["event_log"]))
    except OSError as error:
        log.write(f"the event log cannot be opened, so nothing begins: {error}")
        return GAVE_UP
    announce(request["run_dir"], request.get("variables") or {})
    try:
        if unfit is not None:
            raise unfit
        return _run(request, channel, events, redactor)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it must stand in E before we end
        log.write(traceback.format_exc())
        events.write(What.FAILED, error=redactor.text(f"{type(error).__name__}: {error}"))
        return GAVE_UP


def _import_chaoslib() -> Exception | None:
    gc.disable()  # what is imported stays: looking for garbage in it takes a tenth of the time
    try:
        with later.unless_called():
            import_module("drillmark.chaos.preparing")
            import_module("drillmark.chaos.running")
    except Exception as error:  # noqa: BLE001 - told once there is an event log to tell it in
        return error
    finally:
        gc.freeze()
        gc.enable()
    return None


def _run(request: dict[str, Any], channel: Channel, events: EventLog, redactor: Redactor) -> int:
    from drillmark.chaos.preparing import UnfitError, prepare  # noqa: PLC0415
    from drillmark.chaos.running import play  # noqa: PLC0415

    try:
        prepared = prepare(request, redactor)
    except UnfitError as error:
        events.write(What.FAILED, error=redactor.text(str(error)))
        return GAVE_UP
    if not events.write(What.READY, name=redactor.text(str(prepared.experiment.get("title", "")))):
        return GAVE_UP
    if (command := channel.receive()) != "go":
        events.write(What.FINISHED, status="not_begun", error=f"told to '{command}' before 'go'", deviated=False)
        return DONE
    return DONE if play(prepared, channel, events, redactor) else GAVE_UP


if __name__ == "__main__":
    sys.exit(main())
