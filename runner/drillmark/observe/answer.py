"""What comes of one send, and the words for what went wrong. Words never carry a URL or a connection string."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import Protocol

from drillmark.errors import DrillmarkError

_OUR_OWN_FAULT = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
_WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ETIMEDOUT: "timeout",
}
_NUMBER = re.compile(r"\[Errno (-?\d+)\]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one send: good or not, and a short word."""

    ok: bool
    detail: str


class NotSentError(DrillmarkError):
    """This machine could not send (out of descriptors, ports, threads). It says nothing about the system."""

    code = "not-sent"


class Probe(Protocol):
    """Something that can be asked, many times at once."""

    name: str

    async def ask(self) -> Answer:
        """Send once and wait for the answer. A failure of what is asked is an answer, not an exception."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


def of_os_error(error: OSError) -> Answer:
    """The answer that an operating system's error means. Raises NotSentError where the fault is this machine's."""
    number = error.errno
    if number is None:
        # Several addresses were tried; what happened to the first stands in the text only.
        found = _NUMBER.search(str(error))
        number = int(found[1]) if found else None
    if number in _OUR_OWN_FAULT:
        raise NotSentError(f"this machine could not send: {errno.errorcode[number]}") from error
    if isinstance(error, TimeoutError):
        return Answer(ok=False, detail="timeout")
    if number is None:
        return Answer(ok=False, detail=type(error).__name__)
    if number < 0:  # getaddrinfo's own
        return Answer(ok=False, detail="dns")
    return Answer(ok=False, detail=_WORDS.get(number) or errno.errorcode.get(number, "os"))
