"""Children made by `fork` alone: they have what this process has imported, and need no start of Python of their own.

Only on Linux, and only while this process has one thread: whoever finds neither starts a program instead. Imports next
to nothing, because it is wanted before anything else. Must never let a descriptor of ours into the child: neither a
lock nor a pipe of ours may live on in it.
"""

from __future__ import annotations

import contextlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select
    from collections.abc import Callable, Generator
    from typing import NoReturn

_FAILED = 1
_STREAMS = 3  # stdin, stdout, stderr
_POLL_MILLISECONDS = 10


def possible() -> bool:
    """Whether a fork is safe here: elsewhere than on Linux, libraries of the system may have threads of their own."""
    if sys.platform != "linux":
        return False
    threading = sys.modules.get("threading")
    return threading is None or threading.active_count() == 1


def retitle(words: str) -> None:
    """What this process is called where processes are listed, in place of the command line that it was forked from.

    Who ends that one by its command line must not end this one with it.
    """
    from setproctitle import setproctitle  # noqa: PLC0415 - see above

    setproctitle(words)


class Forked:
    """A child that runs a function and ends; leads a session of its own. Used like a `subprocess.Popen`.

    Attributes:
        returncode: as Popen's; None as long as nobody waited for its end.
    """

    def __init__(
        self, work: Callable[[], int], *, name: str, stdin: int, output: int, ends_whole: bool = False
    ) -> None:
        """Fork. `name` is what `ps` shows; `stdin` and `output` are descriptors of ours. Raises OSError.

        A child that `ends_whole` ends as Python does, and writes what is not written yet: there SystemExit goes up
        through whoever called this, and must pass. Any other ends on the spot.
        """
        self.returncode: int | None = None
        # What is not written yet would be written by the child too.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        self.pid = os.fork()
        if not self.pid:
            _be(work, name, stdin, output, ends_whole=ends_whole)

    def poll(self) -> int | None:
        """The exit code, or None while it lives."""
        if self.returncode is None:
            try:
                found, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                # It has ended, and the kernel kept nothing of it, as SIGCHLD is ignored. As Popen has it.
                self.returncode = 0
            else:
                if found:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        import subprocess  # noqa: PLC0415 - see above
        import time  # noqa: PLC0415

        deadline = None if timeout is None else time.monotonic() + timeout
        with _ending(self.pid) as ending:
            while (code := self.poll()) is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
                if ending is None:
                    time.sleep(_POLL_MILLISECONDS / 1000)
                else:
                    ending.poll(None if left is None else left * 1000)
        return code

    def kill(self) -> None:
        """SIGKILL, unless its end is known already."""
        import signal  # noqa: PLC0415 - see above

        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _be(work: Callable[[], int], name: str, stdin: int, output: int, *, ends_whole: bool) -> NoReturn:
    """The child's whole life. Nothing of the parent's stack is ever returned to, and SystemExit alone goes up there."""
    code = _FAILED
    try:
        import fcntl  # noqa: PLC0415 - see above

        os.setsid()
        # First out of the way: one of them may have the number that the other is to get.
        sources = [fcntl.fcntl(source, fcntl.F_DUPFD, _STREAMS) for source in (stdin, output, output)]
        for target, source in enumerate(sources):
            os.dup2(source, target)
        _close_all_but_those()
        _name_yourself(name)
        if sys.path and not sys.flags.safe_path:
            sys.path[0] = os.getcwd()  # noqa: PTH109 - as `python -m` has it; pathlib is not there yet
        code = work()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else _FAILED
    except BaseException:  # noqa: BLE001 - told where its output goes
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    finally:
        if ends_whole:
            raise SystemExit(code)
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _close_all_but_those() -> None:
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - as above
        if int(entry) >= _STREAMS:
            with contextlib.suppress(OSError):
                os.close(int(entry))


def _name_yourself(name: str) -> None:
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write(name)


@contextlib.contextmanager
def _ending(pid: int) -> Generator[select.poll | None]:
    """What can be asked for the end of the process; None where there is nothing to be had."""
    import select  # noqa: PLC0415 - see above

    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        yield None
        return
    try:
        asked = select.poll()  # `select` itself knows no descriptor above 1023
        asked.register(descriptor, select.POLLIN)
        yield asked
    finally:
        os.close(descriptor)
