"""What a decision must be to count: who may approve or lift, until when, for what reason. Pure.

Raises UsageError with one clear message; nothing is decided then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from drillmark.errors import UsageError

_LIMIT_CHARACTERS = 500
_TIME_HINT = "a duration such as 2d, or a time with its zone such as 2026-12-01T18:00+01:00"


def same(one: str, other: str) -> bool:
    """Whether two names are one person's: capital letters and spaces around them make no difference."""
    return one.strip().casefold() == other.strip().casefold()


def text(value: str | None, option: str) -> str:
    """What an option must say. Raises UsageError where it says nothing."""
    found = " ".join((value or "").split())
    if not found:
        raise UsageError(f"{option} is missing", hint="a decision has a name and a reason: --by NAME --reason TEXT")
    if len(found) > _LIMIT_CHARACTERS or not found.isprintable():
        raise UsageError(f"{option} is at most {_LIMIT_CHARACTERS} characters that can be printed")
    return found


def expiry(value: str | None, now: datetime) -> datetime:
    """When an approval ends: a duration from now, or a time with its zone. Raises UsageError."""
    from drillmark.define.units import duration_seconds  # noqa: PLC0415 - brings pydantic, for who approves alone

    written = (value or "").strip()
    if not written:
        raise UsageError("--expires is missing: no approval holds for ever", hint=_TIME_HINT)
    try:
        found = now + timedelta(seconds=duration_seconds(written))
    except OverflowError as error:
        raise UsageError(f"--expires {written} is too far away", hint=_TIME_HINT) from error
    except ValueError:
        found = _time(written)
    if found <= now:
        raise UsageError(f"--expires {written} is not in the future: it is {now:%Y-%m-%dT%H:%MZ}", hint=_TIME_HINT)
    return found


def approver(by: str, approvers: Sequence[str], requester: str) -> str:
    """The name of who approves, as the settings write it. Raises UsageError where it may not."""
    if not approvers:
        raise UsageError("nobody may approve: drillmark.yaml names no approvers", hint="approvers: [NAME, NAME]")
    found = next((name for name in approvers if same(name, by)), None)
    if found is None:
        from drillmark.define.nearest import hint_for  # noqa: PLC0415 - brings all of definitions, for a mistake alone

        raise UsageError(f"drillmark.yaml names no approver {by}", hint=hint_for(by, approvers, what="approvers"))
    if same(found, requester):
        others = [name for name in approvers if not same(name, requester)]
        hint = f"{', '.join(others)} may" if others else "name another one in drillmark.yaml"
        raise UsageError(f"the requester {found} cannot approve it too: that takes two", hint=hint)
    return found


def lifter(by: str, lifters: Sequence[str], approvers: Sequence[str]) -> str:
    """The name of who lifts a stop, as the settings write it. Raises UsageError where it may not."""
    allowed = lifters or approvers
    if not allowed:
        raise UsageError("nobody may lift a stop: drillmark.yaml names nobody", hint="lifters: [NAME]")
    found = next((name for name in allowed if same(name, by)), None)
    if found is None:
        from drillmark.define.nearest import hint_for  # noqa: PLC0415 - as above

        raise UsageError(f"a stop cannot be lifted by {by}", hint=hint_for(by, allowed, what="who may"))
    return found


def approval(
    *, drill: str, run: str, plan_hash: str, approver: str, requester: str, reason: str, expires: datetime
) -> dict[str, Any]:
    """The data of an approval's entry."""
    return {
        "drill": drill, "run": run, "plan_hash": plan_hash, "approver": approver, "requester": requester,
        "reason": reason, "expires": expires.isoformat(),
    }  # fmt: skip


def _time(written: str) -> datetime:
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise UsageError(f"--expires {written} is no time", hint=_TIME_HINT) from error
    if found.tzinfo is None:
        raise UsageError(f"--expires {written} has no zone", hint=_TIME_HINT)
    return found
