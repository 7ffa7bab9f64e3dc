"""What is in force of all that was decided: a pure fold over the chain.

An approval that cannot be read whole is none; a stop that cannot be read whole is a stop all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from drillmark.model.entry import Entry, Kind
from drillmark.model.stamp import NANOSECONDS

# Who wants a drill that is due: nobody by name, so that no approver is the one who wants it.
SCHEDULE = "the schedule"


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval. `entry` and `hash` are those of its entry; `run` is the run that asked for it, where one did."""

    entry: int
    hash: str
    drill: str
    run: str
    plan_hash: str
    approver: str
    requester: str
    reason: str
    expires: datetime
    at: datetime

    def as_json(self) -> dict[str, Any]:
        """As a run's own journal cites it."""
        return {
            "entry": self.entry, "hash": self.hash, "plan_hash": self.plan_hash, "approver": self.approver,
            "requester": self.requester, "reason": self.reason, "expires": self.expires.isoformat(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stop:
    """The global stop: nothing starts, and what runs is aborted."""

    entry: int
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """A drill that is not started by its schedule. `until` None: until somebody resumes it."""

    drill: str
    until: datetime | None
    by: str
    reason: str
    at: datetime

    @property
    def words(self) -> str:
        """Who paused it, until when, and why."""
        until = f" until {self.until:%Y-%m-%d %H:%M}Z" if self.until else ""
        return f"{self.by or 'somebody'} paused it{until}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Trigger:
    """Somebody wants a drill to be run now. `entry` tells it from others of that drill."""

    entry: int
    drill: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """What holds at one moment.

    Attributes:
        approvals: those that are neither withdrawn nor expired, oldest first.
        expired: those that were never withdrawn, and whose time is over.
        withdrawn: entry of an approval -> who withdrew it, and why.
    """

    approvals: tuple[Approval, ...] = ()
    expired: tuple[Approval, ...] = ()
    withdrawn: Mapping[int, str] = field(default_factory=dict[int, str])
    stop: Stop | None = None
    paused: Mapping[str, Pause] = field(default_factory=dict[str, Pause])
    triggers: tuple[Trigger, ...] = ()


def state(entries: Sequence[Entry], now: datetime) -> State:
    """What of these decisions holds at `now` (with a time zone)."""
    approvals: dict[int, Approval] = {}
    withdrawn: dict[int, str] = {}
    paused: dict[str, Pause] = {}
    triggers: list[Trigger] = []
    stop: Stop | None = None
    for entry in entries:
        data = entry.data
        if entry.kind is Kind.APPROVAL:
            approval = _approval(entry)
            if approval is not None:
                approvals[entry.sequence] = approval
        elif entry.kind is Kind.APPROVAL_WITHDRAWN:
            withdrawn[_number(data.get("entry"))] = f"{_text(data, 'by')}: {_text(data, 'reason')}"
        elif entry.kind is Kind.STOP:
            stop = Stop(entry.sequence, _text(data, "by"), _text(data, "reason") or "no reason given", _at(entry))
        elif entry.kind is Kind.STOP_LIFTED:
            stop = None
        elif entry.kind is Kind.PAUSE:
            drill, until = _text(data, "drill"), moment(data.get("until"))
            paused[drill] = Pause(drill, until, _text(data, "by"), _text(data, "reason"), _at(entry))
        elif entry.kind is Kind.UNPAUSE:
            paused.pop(_text(data, "drill"), None)
        elif entry.kind is Kind.TRIGGER:
            triggers.append(
                Trigger(entry.sequence, _text(data, "drill"), _text(data, "by"), _text(data, "reason"), _at(entry))
            )
    standing = [one for one in approvals.values() if one.entry not in withdrawn]
    return State(
        approvals=tuple(one for one in standing if now < one.expires),
        expired=tuple(one for one in standing if now >= one.expires),
        withdrawn=withdrawn,
        stop=stop,
        paused={name: one for name, one in paused.items() if one.until is None or now < one.until},
        triggers=tuple(triggers),
    )


def moment(value: object) -> datetime | None:
    """A time as it stands in an entry (ISO 8601 with its zone), or None where it is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _approval(entry: Entry) -> Approval | None:
    data = entry.data
    expires = moment(data.get("expires"))
    named = ("drill", "plan_hash", "approver", "requester")
    if (
        expires is None
        or not all(_text(data, name) for name in named)
        or data["approver"].casefold() == data["requester"].casefold()
    ):
        return None
    return Approval(
        entry=entry.sequence,
        hash=entry.hash,
        drill=_text(data, "drill"),
        run=_text(data, "run"),
        plan_hash=_text(data, "plan_hash"),
        approver=_text(data, "approver"),
        requester=_text(data, "requester"),
        reason=_text(data, "reason"),
        expires=expires,
        at=_at(entry),
    )


def _at(entry: Entry) -> datetime:
    return datetime.fromtimestamp(entry.stamp.wall_ns / NANOSECONDS, tz=UTC)


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
