"""The drills of a workspace that have a schedule: read once, and again when a file of theirs has changed.

Ten thousand are looked at in every heartbeat, so what did not change costs one look at its directory entry. Must never
know what time it is, nor what ran.
"""

from __future__ import annotations

import hashlib
import json
import os
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
from drillmark.errors import DrillmarkError, Problem, UsageError
from drillmark.workspace import TARGETS
from drillmark.workspace_files import Files, drill_files

# What tells a file from an earlier one of its name: when it was changed, its size, its inode.
Mark = tuple[int, int, int]


@dataclass(slots=True)
class Planned:
    """A drill with a schedule, as its file was when it was read."""

    source: str
    drill: Drill
    schedule: Schedule
    digest: str
    files: tuple[CalendarFile, ...] = ()
    marks: dict[str, Mark | None] = field(default_factory=dict[str, "Mark | None"])  # of these files
    next_at: datetime | None = None  # when its next occurrence may start; None: to be computed
    looked_until: datetime | None = None


@dataclass(slots=True)
class Plans:
    """Those of one workspace."""

    root: Path
    say: Callable[[str], None]
    _planned: dict[str, Planned] = field(default_factory=dict[str, Planned])
    _seen: dict[str, Mark] = field(default_factory=dict[str, Mark])
    _known: list[Planned] = field(default_factory=list[Planned])
    _targets: Targets | None = None

    def read(self) -> list[Planned]:
        """All of them; what is new or changed is read."""
        if self._changed(TARGETS, _mark_of(self.root / TARGETS)):
            data = Files(self.root).read(TARGETS)
            parsed = None if isinstance(data, Problem) else read_targets(data, TARGETS)
            self._targets = parsed.value if parsed else None
        found = {source: _mark(stat) for source, stat in drill_files(self.root)}
        gone = [source for source in self._seen if source not in found and source != TARGETS]
        for source in gone:
            del self._seen[source]
            self._planned.pop(source, None)
        new = [source for source, mark in found.items() if self._changed(source, mark) or self._has_other_files(source)]
        for source in sorted(new):
            self._take(source)
        if gone or new:
            self._known = list(self._each_once())
        return self._known

    def _take(self, source: str) -> None:
        before = self._planned.pop(source, None)
        try:
            planned = self._parse(source)
        except DrillmarkError as error:
            self.say(f"{source}: {error}")
            return
        if planned is None:
            return
        if before is not None and before.digest == planned.digest:
            planned.looked_until = before.looked_until
        self._planned[source] = planned

    def _each_once(self) -> Iterator[Planned]:
        first: dict[str, str] = {}
        for source, planned in sorted(self._planned.items()):
            other = first.setdefault(planned.drill.id, source)
            if other == source:
                yield planned
            else:
                self.say(f"{source}: its id is that of {other}; nothing of it runs")

    def _has_other_files(self, source: str) -> bool:
        """Whether a calendar file that it names is another than when it was read."""
        planned = self._planned.get(source)
        return planned is not None and any(_mark_of(self.root / name) != mark for name, mark in planned.marks.items())

    def _parse(self, source: str) -> Planned | None:
        files = Files(self.root)
        data = files.read(source)
        if isinstance(data, Problem):
            raise UsageError(data.message)
        parsed = read_drill(data, source)
        if parsed.value is None:
            raise UsageError(str(parsed.problems[0]) if parsed.problems else "it is no drill")
        schedule = parsed.value.schedule
        if schedule is None:
            return None
        named = [text for text in schedule.blackouts if text.endswith(".ics")]
        marks = {name: _mark_of(self.root / name) for name in named}
        calendars: list[CalendarFile] = []
        for name in named:
            content = files.read(name)
            if isinstance(content, Problem):
                raise UsageError(content.message)
            calendars.append(calendar.read_ics(content, name))
        return Planned(source, parsed.value, schedule, digest(schedule), tuple(calendars), marks)

    def _changed(self, source: str, mark: Mark | None) -> bool:
        if self._seen.get(source) == mark:
            return False
        if mark is None:
            del self._seen[source]
        else:
            self._seen[source] = mark
        return True

    def target(self, drill: Drill) -> Target | None:
        """Its target, if there is one of that name."""
        return self._targets.targets.get(drill.target) if self._targets else None

    def locked(self, drill: Drill) -> list[str]:
        """The targets that it has for itself: the one that is faulted, and all that it touches."""
        target = self.target(drill)
        return sorted({drill.target, *(target.touches if target else ())})

    def labels(self, drill: Drill) -> str:
        """What a worker must have: the labels of every target that is locked."""
        known = self._targets.targets if self._targets else {}
        wanted: dict[str, str] = {}
        for name in reversed(self.locked(drill)):
            wanted |= known[name].labels if name in known else {}
        return json.dumps(wanted, sort_keys=True)


def digest(schedule: Schedule) -> str:
    """What tells a schedule from an earlier one of the drill; the same to versions whose schedules have more fields."""
    return hashlib.sha256(schedule.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def _mark(stat: os.stat_result) -> Mark:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _mark_of(path: Path) -> Mark | None:
    try:
        return _mark(path.stat())
    except OSError:
        return None
