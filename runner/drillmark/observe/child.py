"""What observers and load have in common: config, status file, the word to go, the lease, secrets.

Such a process outlives its runner, so it ends by itself at its deadline, whatever happens to the rest. It reports
in `children/<role>.json` and never prints a secret: whatever it says passes the redactor.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from drillmark import clock, files
from drillmark.chaos.needed import needed
from drillmark.chaos.redact import Redactor, collect
from drillmark.errors import DrillmarkError
from drillmark.model.stamp import NANOSECONDS
from drillmark.processes import identify

EXIT_ENDED = 0
EXIT_FAILED = 1
EXIT_NOT_TOLD_TO_GO = 3
# Children are started early, so that their imports are done when their turn comes.
GO_WITHIN_SECONDS = 120.0
_LEASE_GRACE_SECONDS = 15.0
_POLL_SECONDS = 0.02


class ChildError(DrillmarkError):
    """An observer or the load cannot do its work; the text goes into its status file."""

    code = "child"


@dataclass(slots=True)
class Child:
    """One observer or load process: what it was told, and what it tells.

    Attributes:
        role: the name of its files, from `children/<role>.config.json`.
        run: the run's id.
        run_dir: the run's directory.
        deadline_ns: when it must be gone (monotonic).
        config: all that the config file says.
        configuration: Chaos Toolkit's block, resolved in this process.
        secrets: likewise. Never stored, never shown.
        redactor: masks the values of `secrets`.
        stop_requested: SIGTERM came. Work that waits in its own way installs a handler of its own, and looks here.
    """

    role: str
    run: str
    run_dir: Path
    deadline_ns: int
    config: dict[str, Any]
    configuration: dict[str, Any] = field(default_factory=dict[str, Any])
    secrets: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    redactor: Redactor = field(default_factory=Redactor, repr=False)
    stop_requested: bool = False

    def samples(self, name: str) -> Path:
        """The path of one of the run's sample files; its directory is made."""
        directory = self.run_dir / "samples"
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory / f"{name}.dms"

    def report(self, state: str, error: str = "", **more: str) -> None:
        """Write the status file: `starting`, `ready`, `ended` or `failed`, and what else is told. Raises OSError."""
        me = identify(os.getpid())
        status = {
            "role": self.role,
            "pid": os.getpid(),
            "start": me.start if me else "",
            "state": state,
            "error": self.redactor.text(error),
            "stamp": clock.now().as_json(),
        } | more
        files.write_durably(self.run_dir / "children" / f"{self.role}.json", json.dumps(status))

    def resolve(self) -> None:
        """Resolve configuration and secrets in this process. Raises ChildError."""
        from chaoslib.configuration import load_configuration  # noqa: PLC0415  # after gevent's patching
        from chaoslib.exceptions import ChaosException  # noqa: PLC0415
        from chaoslib.secret import load_secrets  # noqa: PLC0415

        # Chaos Toolkit's own log lines may carry values; what matters of them is in our samples.
        logging.getLogger("chaostoolkit").setLevel(logging.CRITICAL + 1)
        try:
            self.configuration = load_configuration(dict(self.config.get("configuration") or {}))
            declared: dict[str, Any] = dict(self.config.get("secrets") or {})
            users = {key: value for key, value in self.config.items() if key != "secrets"}
            used = needed(declared, [users])
            for name, block in declared.items():
                try:
                    self.secrets |= load_secrets({name: block}, self.configuration)
                except ChaosException:
                    if name in used:
                        raise
        except ChaosException as error:
            raise ChildError(f"cannot resolve configuration or secrets: {error}") from error
        self.redactor.add(collect(self.secrets))

    def secret(self, block: str, key: str) -> str:
        """One resolved secret. Raises ChildError without showing any value."""
        value = self.secrets.get(block)
        found = value.get(key) if isinstance(value, dict) else None
        if not isinstance(found, str) or not found:
            raise ChildError(f"there is no secret {key!r} in the secrets {block!r}")
        return found

    def wait_for_go(self, sleep: Callable[[float], object] = time.sleep) -> bool:
        """Wait until the runner says go, at most two minutes. False: do nothing at all.

        The word may name the pid that is meant: another process of this role, which no undo file knows, then ends.
        """
        go = self.run_dir / "children" / f"{self.role}.go"
        give_up_ns = clock.monotonic_ns() + round(GO_WITHIN_SECONDS * NANOSECONDS)
        while not go.exists():
            if clock.monotonic_ns() > give_up_ns or self.stop_requested:
                return False
            sleep(_POLL_SECONDS)
        return go.read_text(encoding="utf-8").strip() in ("", str(os.getpid()))

    @property
    def remaining_seconds(self) -> float:
        """Until the deadline; not below zero."""
        return max(0.0, (self.deadline_ns - clock.monotonic_ns()) / NANOSECONDS)


def load(config_path: Path) -> Child:
    """Read a config file. Raises ChildError."""
    config = files.read_json(config_path)
    if not isinstance(config, dict):
        raise ChildError(f"cannot read the config {config_path.name}")
    role = config_path.name.removesuffix(".config.json")
    try:
        return Child(role, str(config["run"]), Path(config["run_dir"]), int(config["deadline_ns"]), config)
    except (TypeError, KeyError, ValueError) as error:
        raise ChildError(f"cannot use the config {config_path.name}: {error!r}") from error


def run(arguments: list[str], work: Callable[[Child], None]) -> int:
    """The life of a child: `work` is called after the word to go, and returns when it ended as it should.

    Returns the exit code: 0 ended, 1 failed (the status file says why), 3 never told to go.
    """
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m MODULE CONFIG.json\n")
        return EXIT_FAILED
    os.umask(0o077)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    try:
        child = load(Path(arguments[0]))
        _obey(child)
        child.report("starting")
        child.resolve()
        if not child.wait_for_go():
            return EXIT_NOT_TOLD_TO_GO
    except (DrillmarkError, OSError) as error:
        return _fail_early(arguments[0], error)
    return _carry_out(child, work)


def _carry_out(child: Child, work: Callable[[Child], None]) -> int:
    try:
        work(child)
        child.report("ended")
    except (DrillmarkError, OSError) as error:
        return _fail(child, str(error))
    except SystemExit as error:  # a foreign library's way out must not pass for a clean end
        return _fail(child, f"something in it called sys.exit({error.code})")
    except Exception as error:  # noqa: BLE001  # whatever it is, the status file must say that the samples end here
        return _fail(child, f"{type(error).__name__}: {error}")
    return EXIT_ENDED


def _obey(child: Child) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        child.stop_requested = True

    signal.signal(signal.SIGTERM, stop)
    # The kernel ends this process even if its own loop hangs. Not a substitute for ending cleanly before.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, child.remaining_seconds + _LEASE_GRACE_SECONDS)


def _fail(child: Child, error: str) -> int:
    text = child.redactor.text(error)
    sys.stderr.write(f"{child.role}: {text}\n")
    try:
        child.report("failed", text)
    except OSError as problem:
        sys.stderr.write(f"{child.role}: cannot write its status: {problem.strerror}\n")
    return EXIT_FAILED


def _fail_early(config_path: str, error: Exception) -> int:
    try:
        return _fail(load(Path(config_path)), str(error))
    except DrillmarkError as problem:
        sys.stderr.write(f"{problem}\n")
        return EXIT_FAILED
