"""Where a restore is to stop: at the newest, at a time, at a log position, or at a named restore point."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from drillmark.errors import RecoveryError
from drillmark.postgres import int_to_lsn, lsn_to_int

NAME_PREFIX = "name:"
_LONGEST_NAME = 63  # what pg_create_restore_point allows
_POSITION = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")


@dataclass(frozen=True, slots=True)
class Target:
    """A recovery target.

    Attributes:
        position: a log position in bytes, or None.
        wall_ns: an instant in nanoseconds since 1970, or None. Neither: the newest.
        inclusive: whether what stands exactly there is still replayed.
        name: of a restore point; its position is found in the archived log (`restore_points.located`).
    """

    position: int | None = None
    wall_ns: int | None = None
    inclusive: bool = True
    name: str = ""

    @classmethod
    def parse(cls, text: str, *, inclusive: bool = True) -> Target:
        """Understand `latest`, an ISO 8601 time with its zone, a log position such as `0/3000028`, or `name:POINT`.

        Raises RecoveryError on anything else.
        """
        text = str(text).strip()
        if text.lower() == "latest":
            return cls(inclusive=inclusive)
        if text.startswith(NAME_PREFIX):
            return cls._named(text.removeprefix(NAME_PREFIX).strip(), inclusive=inclusive)
        if _POSITION.fullmatch(text):
            return cls(position=lsn_to_int(text), inclusive=inclusive)
        try:
            time = datetime.fromisoformat(text)
        except ValueError as error:
            hint = "latest, an ISO 8601 time with its zone, a log position such as 0/3000028, or name:POINT"
            if "${" in text:
                hint = "nobody supplied that variable; under plain `chaos run` state the time or position itself"
            raise RecoveryError(f"not a recovery target: {text!r}", hint=hint) from error
        if time.tzinfo is None:
            raise RecoveryError(f"the time {text!r} names no zone", hint=f"write {text}Z for UTC")
        since = time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return cls(
            wall_ns=(since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000, inclusive=inclusive
        )

    @classmethod
    def _named(cls, name: str, *, inclusive: bool) -> Target:
        if not name or len(name.encode()) > _LONGEST_NAME or not name.isprintable():
            raise RecoveryError(
                f"not the name of a restore point: {name[:80]!r}", hint=f"1 to {_LONGEST_NAME} printable bytes"
            )
        if not inclusive:
            raise RecoveryError(
                "`inclusive: false` does not go with a restore point", hint="nothing is committed exactly at one"
            )
        return cls(name=name)

    @property
    def settings(self) -> dict[str, str]:
        """PostgreSQL's own words for it; every `recovery_target_*`, so that none left in a file interferes."""
        targets = {
            "recovery_target": "",
            "recovery_target_name": "",
            "recovery_target_xid": "",
            "recovery_target_time": "" if self.wall_ns is None else iso(self.wall_ns),
            "recovery_target_lsn": "" if self.position is None else int_to_lsn(self.position),
        }
        return {
            # The one that is set goes last: PostgreSQL takes an empty one after it for a second target.
            **dict(sorted(targets.items(), key=lambda item: item[1] != "")),
            "recovery_target_inclusive": "on" if self.inclusive else "off",
            "recovery_target_timeline": "latest",
            "recovery_target_action": "promote",
        }

    def __str__(self) -> str:
        if self.name:
            return f"restore point {self.name}"
        if self.position is not None:
            return ("" if self.inclusive else "before ") + int_to_lsn(self.position)
        if self.wall_ns is not None:
            return ("" if self.inclusive else "before ") + iso(self.wall_ns)
        return "latest"


def iso(wall_ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601 in UTC, to the microsecond."""
    seconds, rest = divmod(wall_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}+00:00"
