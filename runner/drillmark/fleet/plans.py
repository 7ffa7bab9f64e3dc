"""The drills of a workspace that have a schedule: read once, and again when a file of theirs has changed.

Ten thousand are looked at in every heartbeat, so what did not change costs one look at its directory entry. Must never
know what time it is, nor what ran.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from drillmark import calendar
from drillmark.calendar import CalendarFile
from drillmark.define import read_drill, read_targets
from drillmark.define.drill import Drill
from drillmark.define.schedule import Schedule
from drillmark.define.targets import Target, Targets
from drillmark.errors import DrillmarkError, InvalidDefinitionError, Problem, UsageError
from drillmark.fleet.rows import labels_of
from drillmark.model.target import locked_with
from drillmark.workspace import TARGETS
from drillmark.workspace_files import Files, drill_files

# What tells a file from an earlier one of its name: when it, and who may read it, was changed; its size, its inode.
Mark = tuple[int, int, int, int]


@dataclass(slots=True)
class Planned:
    """A drill with a schedule, as its file was when it was read."""

    source: str
    drill: Drill
    schedule: Schedule
    digest: str
    files: tuple[CalendarFile, ...] = ()
    next_at: datetime | None = None  # when its next occurrence may start; None: to be computed
    looked_until: datetime | None = None


@dataclass(slots=True)
class Plans:
    """Those of one workspace. Two threads may ask: one for all, one for those that are about to begin."""

    root: Path
    say: Callable[[str], None]
    _planned: dict[str, Planned] = field(default_factory=dict[str, Planned])
    _seen: dict[str, Mark] = field(default_factory=dict[str, Mark])
    # Of the calendar files that a drill names, also of one that cannot be planned because of them.
    _calendars: dict[str, dict[str, Mark | None]] = field(default_factory=dict[str, "dict[str, Mark | None]"])
    _wrong: dict[str, str] = field(default_factory=dict[str, str])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_known: bool = False
    _known: list[Planned] = field(default_factory=list[Planned])
    _targets: Targets | None = None
    _targets_seen: Mark | None = None

    def read(self) -> list[Planned]:
        """All of them; what is new or changed is read.

        Raises InvalidDefinitionError while the targets cannot be read: without them nobody knows what a drill locks,
        nor which worker may take it.
        """
        self._read_targets()
        found = {source: _mark(stat) for source, stat in drill_files(self.root)}
        gone = [source for source in self._seen | self._wrong if source not in found]
        new = [source for source, mark in found.items() if self._is_other(source, mark)]
        for source in sorted([*gone, *new]):
            self._refresh(source, found.get(source))
        if not self._is_known:
            with self._lock:
                self._is_known = True
                self._known = list(self._each_once())
        return self._known

    def _read_targets(self) -> None:
        mark = _mark_of(self.root / TARGETS)
        if self._targets is not None and self._targets_seen == mark:
            return
        data = Files(self.root).read(TARGETS)
        if isinstance(data, Problem):
            raise InvalidDefinitionError([data])
        parsed = read_targets(data, TARGETS)
        if parsed.value is None:
            raise InvalidDefinitionError(parsed.problems)
        self._targets, self._targets_seen = parsed.value, mark

    def known(self) -> list[Planned]:
        """All of them as they were read last; nothing is read."""
        return self._known

    def one(self, source: str) -> Planned | str | None:
        """The drill of this file as it is now; or why it cannot be read; None where nothing there has a schedule."""
        self._refresh(source, _mark_of(self.root / source))
        with self._lock:
            return self._planned.get(source) or self._wrong.get(source)

    def _refresh(self, source: str, mark: Mark | None) -> None:
        """Read a drill again where its file, or a calendar file that it names, is another than when it was read."""
        with self._lock:
            if not self._is_other(source, mark):
                return
            before = self._planned.pop(source, None)
            told = self._wrong.pop(source, None)
            self._calendars.pop(source, None)
            self._seen.pop(source, None)
            planned = None
            if mark is not None:
                self._seen[source] = mark
                try:
                    planned = self._parse(source)
                except DrillmarkError as error:
                    self._wrong[source] = str(error)
                    if told != str(error):
                        self.say(f"{source}: {error}")
            if planned is not None:
                if before is not None and before.digest == planned.digest:
                    planned.looked_until = before.looked_until
                self._planned[source] = planned
            if before is not planned:
                self._is_known = False

    def _each_once(self) -> Iterator[Planned]:
        first: dict[str, str] = {}
        for source, planned in sorted(self._planned.items()):
            other = first.setdefault(planned.drill.id, source)
            if other == source:
                yield planned
            else:
                self.say(f"{source}: its id is that of {other}; nothing of it runs")

    def _is_other(self, source: str, mark: Mark | None) -> bool:
        """Whether it, or a calendar file that it names, is another than when it was read."""
        if self._seen.get(source) != mark or (mark is None and source in self._wrong):
            return True
        calendars = self._calendars.get(source)
        return calendars is not None and any(_mark_of(self.root / name) != known for name, known in calendars.items())

    def _parse(self, source: str) -> Planned | None:
        files = Files(self.root)
        data = files.read(source)
        if isinstance(data, Problem):
            self._seen.pop(source, None)  # whatever hinders that, nothing of the file need change when it is over
            raise UsageError(data.message)
        parsed = read_drill(data, source)
        if parsed.value is None:
            raise UsageError(str(parsed.problems[0]) if parsed.problems else "it is no drill")
        schedule = parsed.value.schedule
        if schedule is None:
            return None
        named = [text for text in schedule.blackouts if text.endswith(".ics")]
        # Kept whatever becomes of them: one that is repaired brings its drill back.
        self._calendars[source] = {name: _mark_of(self.root / name) for name in named}
        calendars: list[CalendarFile] = []
        for name in named:
            content = files.read(name)
            if isinstance(content, Problem):
                if self._calendars[source][name] is not None:
                    self._seen.pop(source, None)  # as above
                raise UsageError(content.message)
            calendars.append(calendar.read_ics(content, name))
        return Planned(source, parsed.value, schedule, digest(schedule), tuple(calendars))

    def target(self, drill: Drill) -> Target | None:
        """Its target, if there is one of that name."""
        return self._targets.targets.get(drill.target) if self._targets else None

    def locked(self, drill: Drill) -> list[str]:
        """The targets that it has for itself."""
        return locked_with(drill.target, self._touches(drill))

    def labels(self, drill: Drill) -> dict[str, str]:
        """What a worker must have."""
        known = self._targets.targets if self._targets else {}
        return labels_of(drill.target, self._touches(drill), {name: one.labels for name, one in known.items()})

    def _touches(self, drill: Drill) -> list[str]:
        target = self.target(drill)
        return target.touches if target else []


def digest(schedule: Schedule) -> str:
    """What tells a schedule from an earlier one of the drill; the same to versions whose schedules have more fields."""
    return hashlib.sha256(schedule.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def _mark(stat: os.stat_result) -> Mark:
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def _mark_of(path: Path) -> Mark | None:
    try:
        return _mark(path.stat())
    except OSError:
        return None
