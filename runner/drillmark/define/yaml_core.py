"""YAML 1.2 core over PyYAML's parser: values, their places, and every duplicate key, tag and merge key told.

PyYAML's own loaders make 12:00 into 720 and `on` into true, and take the last of two equal keys silently.
Only its parser is used here. Must never expand an alias bomb, recurse by a file's depth, or build an object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events as ev

from drillmark.define import scalars
from drillmark.define.marks import Marks, Path
from drillmark.errors import Problem

BYTES_LIMIT = 1_000_000
DEPTH_LIMIT = 64
_TOO_DEEP = f"nested deeper than {DEPTH_LIMIT} levels"
WEIGHT_LIMIT = 4 * 1024 * 1024  # nodes and characters, aliases written out

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BINARY = frozenset(range(32)) - {9, 10, 13}


@dataclass(slots=True)
class Document:
    """A file, read. `value` is None where it could not be read at all; `problems` then says why."""

    value: Any
    marks: Marks
    problems: list[Problem] = field(default_factory=list)


class _StopError(Exception):
    """Reading cannot go on; the problem is already noted."""


def too_large(size_bytes: int, file: str) -> Problem:
    """What is said of a file of more than `BYTES_LIMIT` bytes."""
    message = f"the file is too large: {size_bytes / 1e6:.1f} MB, at most {BYTES_LIMIT / 1e6:.1f} MB are read"
    return Problem(file, 0, 0, message, "a definition is a few kilobytes; is this the right file?")


def text_of(data: bytes, file: str) -> str | Problem:
    """The text of a file, or why it is none: too large, binary, not UTF-8, empty."""
    if len(data) > BYTES_LIMIT:
        return too_large(len(data), file)
    if any(byte in _BINARY for byte in data):
        return Problem(file, 0, 0, "this is a binary file", "a definition is YAML text in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Problem(file, line, 1, "this is not UTF-8 text", "save the file as UTF-8")
    if not text.strip():
        return Problem(file, 0, 0, "the file is empty")
    return text


def read(data: bytes, file: str, *, strict: bool = True) -> Document:
    """Read one YAML document. Not strict: tags and merge keys are let pass (experiments are Chaos Toolkit's)."""
    text = text_of(data, file)
    if isinstance(text, Problem):
        return Document(None, Marks(file), [text])
    return _Reader(file, strict=strict).read(text)


@dataclass(slots=True)
class _Open:
    """A mapping or list that is not closed yet."""

    value: dict[str, Any] | list[Any]
    path: Path
    weight_before: int
    anchor: str | None
    key: str | None = None  # of a mapping: the key whose value comes next


class _Reader:
    def __init__(self, file: str, *, strict: bool) -> None:
        self.strict = strict
        self.marks = Marks(file)
        self.problems: list[Problem] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.weight = 0
        self.documents = 0
        self.root: Any = None

    def read(self, text: str) -> Document:
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except _StopError:
            return Document(None, self.marks, self.problems)
        except yaml.YAMLError as error:
            self.problems.append(_syntax_problem(error, self.marks.file))
            return Document(None, self.marks, self.problems)
        if self.root is None and not self.problems:
            self.problems.append(Problem(self.marks.file, 0, 0, "the file is empty"))
        return Document(self.root, self.marks, self.problems)

    def _take(self, event: Any) -> None:
        if isinstance(event, ev.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._stop(event, "a second document begins here", "a file holds one; take the line `---` away")
        elif isinstance(event, ev.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, ev.AliasEvent):
            self._alias(event)
        elif isinstance(event, ev.MappingStartEvent):
            self._open(event, {})
        elif isinstance(event, ev.SequenceStartEvent):
            self._open(event, [])
        elif isinstance(event, (ev.MappingEndEvent, ev.SequenceEndEvent)):
            closed = self.stack.pop()
            if closed.anchor:
                self.anchors[closed.anchor] = (closed.value, self.weight - closed.weight_before)

    def _scalar(self, event: Any) -> None:
        self._weigh(event, 1 + len(event.value))
        if self._awaits_key():
            self._key(event)
            return
        self._check_tag(event)
        value: Any = event.value
        if event.implicit[0] and not event.style:
            try:
                value = scalars.resolve(event.value)
            except scalars.ScalarError as error:
                self._note(event, str(error))
        elif not _is_writable(event.value):
            self._note(event, "the text holds half of a surrogate pair")
        if event.anchor:
            self.anchors[event.anchor] = (value, 1 + len(event.value))
        self._place(event, value)

    def _alias(self, event: Any) -> None:
        if self._awaits_key():
            self._stop(event, "an alias cannot be a key here", "write the key out")
        if event.anchor not in self.anchors:
            inside = any(opened.anchor == event.anchor for opened in self.stack)
            self._stop(event, f"`*{event.anchor}` " + ("contains itself" if inside else "names no anchor"))
        value, weight = self.anchors[event.anchor]
        self._weigh(event, weight)
        self._place(event, value)

    def _open(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        if self._awaits_key():
            self._stop(event, "a key must be text", "a mapping or list cannot be a key")
        if len(self.stack) >= DEPTH_LIMIT:
            self._stop(event, _TOO_DEEP)
        self._check_tag(event)
        before = self.weight
        self._weigh(event, 1)
        path = self._place(event, value)
        self.stack.append(_Open(value, path, before, event.anchor))

    def _key(self, event: Any) -> None:
        """A mapping's key: its text as written, whatever it would be as a value."""
        opened, key = self.stack[-1], str(event.value)
        path = (*opened.path, key)
        assert isinstance(opened.value, dict)
        self._check_tag(event)
        if not _is_writable(key):
            self._note(event, "the key holds half of a surrogate pair")
        if key == "<<" and not event.style:
            if self.strict:
                self._note(event, "merge keys (`<<`) are not part of YAML 1.2", "write the values out, or use an alias")
        elif key in opened.value:
            line, _ = self.marks.key(path)
            self._note(event, f"duplicate key `{key}`, first in line {line}", "keep one of the two")
        self.marks.keys.setdefault(path, _place_of(event))
        opened.key = key

    def _place(self, event: Any, value: Any) -> Path:
        """Put a value where it belongs; returns its path."""
        if not self.stack:
            self.root = value
            path: Path = ()
        else:
            opened = self.stack[-1]
            if isinstance(opened.value, dict):
                assert opened.key is not None
                path, opened.key = (*opened.path, opened.key), None
                opened.value.setdefault(str(path[-1]), value)
            else:
                path = (*opened.path, len(opened.value))
                opened.value.append(value)
        self.marks.values.setdefault(path, _place_of(event))
        return path

    def _awaits_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def _weigh(self, event: Any, weight: int) -> None:
        self.weight += weight
        if self.weight > WEIGHT_LIMIT:
            self._stop(event, "the aliases of this file write out to more than it may hold", "use fewer aliases")

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None and self.strict:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._note(event, f"the tag `{tag}` is not allowed", "quote the value if it is meant as text")

    def _note(self, event: Any, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self.marks.file, *_place_of(event), message, hint))

    def _stop(self, event: Any, message: str, hint: str = "") -> None:
        self._note(event, message, hint)
        raise _StopError


def _place_of(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _is_writable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _syntax_problem(error: yaml.YAMLError, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    message = f"this is not YAML: {what}" + (f" ({context})" if context else "")
    # The scanner, which reads ahead, has a limit of its own beyond ours.
    message = _TOO_DEEP if "maximum nesting depth" in message else message
    hint = "indent with spaces, not tabs" if "\\t" in message or "tab" in message else ""
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    return Problem(file, line, column, message, hint)
