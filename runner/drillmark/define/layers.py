"""The settings in their layers: the base file, an environment's overlay, variables, flags. Pure; the later one wins.

Mappings are laid over each other key by key; anything else is replaced as a whole. Everything is checked once, as
one, and each mistake is told at the layer that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from drillmark.define import yaml_core
from drillmark.define.marks import Marks, Path, dotted
from drillmark.define.parse import Parsed
from drillmark.define.problems import problems_of
from drillmark.define.settings import Settings
from drillmark.define.units import Written, duration_text
from drillmark.errors import Problem

PREFIX = "DRILLMARK__"
# Who may decide is no matter of whoever gives a command: these stand in files, which are reviewed.
ONLY_IN_FILES = frozenset({"approvers", "lifters"})
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings. `name` is a file, or what people call the source (`DRILLMARK__GUARD__LEASE`)."""

    name: str
    raw: dict[str, Any]
    marks: Marks
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, as it was written, and where: a file with its line, a variable, a flag, or the default.

    `as_default`: whether it is what it would be without that, however it is written (`168h` for `7d`).
    """

    key: str
    value: Any
    source: str
    as_default: bool


def of_file(data: bytes, name: str) -> Layer:
    """A settings file; one that is empty says nothing."""
    if not data.strip() or all(line.strip()[:1] in (b"", b"#") for line in data.splitlines()):
        data = b"{}"
    document = yaml_core.read(data, name)
    problems = list(document.problems)
    if document.value is not None and not isinstance(document.value, dict) and not problems:
        problems.append(document.marks.problem((), "expected a mapping of settings"))
    return Layer(name, document.value if isinstance(document.value, dict) else {}, document.marks, problems)


def of_variables(environment: Mapping[str, str]) -> list[Layer]:
    """`DRILLMARK__GUARD__LEASE=45s` is `guard.lease`. The value is read as YAML."""
    return [
        _single(name, tuple(part.lower() for part in name.removeprefix(PREFIX).split("__")), text)
        for name, text in sorted(environment.items())
        if name.startswith(PREFIX)
    ]


def of_flags(given: Sequence[str]) -> list[Layer]:
    """`guard.lease=45s`, as it is given with `--set`."""
    return [
        _single(f"--set {text}", tuple(text.partition("=")[0].split(".")), text.partition("=")[2]) for text in given
    ]


def combine(layers: Sequence[Layer]) -> Parsed[Settings]:
    """The settings of all layers. Raises nothing: what is wrong stands in `problems`."""
    marks = _Layered(layers)
    problems = [problem for layer in layers for problem in layer.problems]
    raw = merged(layers)
    value: Settings | None = None
    try:
        value = Settings.model_validate(raw)
    except ValidationError as error:
        problems += problems_of(error, Settings, marks)
    problems = list(dict.fromkeys(problems))
    return Parsed(marks.file, None if problems else value, raw, marks, problems, [])


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """What is written, each layer over those before it."""
    raw: dict[str, Any] = {}
    for layer in layers:
        raw = _over(raw, layer.raw)
    return raw


def explain(layers: Sequence[Layer]) -> list[Setting]:
    """Every setting that there is, with its value and its source."""
    marks = _Layered(layers)
    return list(_settings(Settings, merged(layers), (), marks, combine(layers).value))


def _settings(
    model: type[BaseModel], raw: Any, path: Path, marks: _Layered, checked: BaseModel | None
) -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        here = (*path, name)
        written = isinstance(raw, dict) and name in raw
        inner, may_be_none = _group(info.annotation)
        if inner is not None and not (may_be_none and not isinstance(raw[name] if written else None, dict)):
            yield from _settings(inner, raw[name] if written else None, here, marks, getattr(checked, name, None))
            continue
        default = info.get_default(call_default_factory=True)
        if written:
            same = checked is not None and getattr(checked, name) == default
            yield Setting(dotted(here), raw[name], marks.source(here), same)
        else:
            if isinstance(default, float) and any(isinstance(one, Written) for one in info.metadata):
                default = duration_text(default)
            plain = default.model_dump(mode="json") if isinstance(default, BaseModel) else default
            yield Setting(dotted(here), None if plain is PydanticUndefined else plain, DEFAULT, as_default=True)


def _group(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model of a group of settings, and whether there may be none of it; no model for a single setting."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    single = len(models) == 1 and all(kind in (models[0], type(None)) for kind in kinds)
    return (models[0] if single else None), type(None) in kinds


def _single(name: str, path: tuple[str, ...], text: str) -> Layer:
    marks = Marks(name)
    if not all(path):
        return Layer(name, {}, marks, [Problem(name, 0, 0, "names no setting", "guard.lease=45s")])
    if path[0] in ONLY_IN_FILES:
        message = f"`{path[0]}` is read from files only"
        return Layer(name, {}, marks, [Problem(name, 0, 0, message, "drillmark.yaml, or an environment's overlay")])
    document = yaml_core.read(text.encode(), name)
    problems = [Problem(name, 0, 0, problem.message, problem.hint) for problem in document.problems]
    raw: Any = document.value
    for part in reversed(path):
        raw = {part: raw}
    if not problems:
        marks.values.update(dict.fromkeys(_paths(raw), (0, 0)))
    return Layer(name, {} if problems else raw, marks, problems)


def _paths(raw: Any, path: Path = ()) -> Iterator[Path]:
    """The way to every value of a document."""
    yield path
    children = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in children:
        yield from _paths(value, (*path, key))


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    made = dict(below)
    for key, value in above.items():
        known = made.get(key)
        made[key] = _over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return made


class _Layered(Marks):
    """The places of a value that may stand in any layer: the last one that has it, or the nearest thing above it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers[0].name if layers else "")
        self._layers = layers
        for layer in layers:
            self.keys |= layer.marks.keys
            self.values |= layer.marks.values

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """A problem with what stands at a path, in the layer that says so."""
        return self._owner(path).marks.problem(path, message, hint, at_key=at_key)

    def source(self, path: Path) -> str:
        """Where the value at a path comes from: `drillmark.yaml:7`, or the layer's name where it has no lines."""
        layer = self._owner(path)
        line, _ = layer.marks.key(path)
        # Of a flag without its value, which may be secret and is shown apart.
        return f"{layer.name}:{line}" if line else layer.name.partition("=")[0]

    def _owner(self, path: Path) -> Layer:
        for length in range(len(path), 0, -1):
            for layer in reversed(self._layers):
                if _has(layer.raw, path[:length]):
                    return layer
        return self._layers[0]


def _has(raw: Any, path: Path) -> bool:
    for part in path:
        if isinstance(raw, list) and isinstance(part, int) and part < len(cast("list[Any]", raw)):
            raw = cast("list[Any]", raw)[part]
        elif isinstance(raw, dict) and part in raw:
            raw = cast("dict[Any, Any]", raw)[part]
        else:
            return False
    return True
