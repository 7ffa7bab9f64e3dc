"""Where each key and each value of a document stands in its file.

A path is what leads from the document's root to a value: keys and list indexes. Must never guess a place:
where a value came out of an alias, its nearest ancestor that stands in the file is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drillmark.errors import Problem

Path = tuple[str | int, ...]
Place = tuple[int, int]  # line and column, both from 1


@dataclass(slots=True)
class Marks:
    """The places of one document."""

    file: str
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def value(self, path: Path) -> Place:
        """Where the value at a path stands, or the nearest thing above it; (0, 0): the file as a whole."""
        return self._nearest(self.values, path)

    def key(self, path: Path) -> Place:
        """Where the key that ends a path stands; a list's item has no key, its value is told."""
        return self.keys.get(path) or self._nearest(self.values, path)

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """A problem with what stands at a path."""
        line, column = self.key(path) if at_key else self.value(path)
        return Problem(self.file, line, column, message, hint)

    @staticmethod
    def _nearest(places: dict[Path, Place], path: Path) -> Place:
        for length in range(len(path), -1, -1):
            place = places.get(path[:length])
            if place is not None:
                return place
        return (0, 0)


def dotted(path: Path) -> str:
    """A path as people write it: `observe.probes.use[0].ref`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def get(value: object, *path: str | int) -> object:
    """What stands at a path of a raw document, or None where nothing does."""
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value
