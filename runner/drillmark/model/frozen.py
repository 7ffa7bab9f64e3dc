"""Values that are JSON objects: immutable, checked when they are made, nothing unknown in them.

Pydantic's models as far as a plan needs them, by the same names, but strict, and imported in a tenth of the time, for
which every run waits.
What a field may hold: str, int, float, bool, Any, Literal, None, other values, and list, tuple and dict of these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from datetime import date, time
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Self, Union, cast, dataclass_transform, get_args, get_origin, get_type_hints

_REQUIRED: Any = object()


class Each:
    """A default that every value gets its own of."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def each(*, default_factory: Callable[[], Any]) -> Any:
    """A field whose default is made anew for every value."""
    return Each(default_factory)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(each,))
class Frozen:
    """Base of such values. Making one raises ValueError where a field is missing, unknown, or holds something else."""

    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        own = {name: vars(cls).get(name, _REQUIRED) for name in vars(cls).get("__annotations__", {})}
        cls._defaults = {**cls._defaults, **{name: value for name, value in own.items() if name[0] != "_"}}

    def __init__(self, **values: Any) -> None:
        name, values = type(self).__name__, self._before(values)
        if unknown := values.keys() - self._defaults.keys():
            raise ValueError(f"{name} has no {', '.join(sorted(unknown))}")
        made: dict[str, Any] = {}
        checks = _checks(type(self))
        for field, default in self._defaults.items():
            if field in values:
                made[field] = checks[field](values[field], f"{name}.{field}")
            elif default is _REQUIRED:
                raise ValueError(f"{name}.{field} is missing")
            else:
                made[field] = default.make() if isinstance(default, Each) else default
        vars(self).update(made)

    @classmethod
    def model_validate(cls, value: Any) -> Self:
        """One of what JSON made. Raises ValueError."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise _unfit(value, cls.__name__, "an object")
        return cls(**{str(key): inner for key, inner in cast("Mapping[Any, Any]", value).items()})

    @classmethod
    def model_validate_json(cls, text: str | bytes) -> Self:
        """One of the text of JSON. Raises ValueError."""
        try:
            return cls.model_validate(json.loads(text))
        except RecursionError as error:
            raise ValueError(f"{cls.__name__}: nested too deeply") from error

    @classmethod
    def _before(cls, values: dict[str, Any]) -> dict[str, Any]:
        """What older versions wrote, as it is written now."""
        return values

    def model_dump(
        self, *, mode: Literal["json"], include: Collection[str] | None = None, exclude_none: bool = False
    ) -> dict[str, Any]:
        """The object that JSON knows. Raises ValueError where it holds what JSON does not."""
        del mode  # named, because pydantic's own default is another
        return {
            name: _as_json(value, exclude_none=exclude_none)
            for name, value in vars(self).items()
            if (include is None or name in include) and not (exclude_none and value is None)
        }

    def model_dump_json(self) -> str:
        """The same as text."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """The same with other values, which are taken as they are."""
        made = object.__new__(type(self))
        vars(made).update({**vars(self), **update})
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is not changed: {name}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType] - lists and mappings are in them

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def _as_json(value: Any, *, exclude_none: bool) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} cannot stand in JSON")
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Frozen):
        return value.model_dump(mode="json", exclude_none=exclude_none)
    if isinstance(value, Mapping):
        inner = cast("Mapping[Any, Any]", value)
        return {str(key): _as_json(one, exclude_none=exclude_none) for key, one in inner.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_json(one, exclude_none=exclude_none) for one in cast("list[Any]", value)]
    if isinstance(value, date | time):  # YAML knows them
        return value.isoformat()
    raise ValueError(f"{type(value).__name__} cannot stand in JSON")


_Check = Callable[[Any, str], Any]


@cache
def _checks(of: type[Frozen]) -> dict[str, _Check]:
    hints = get_type_hints(of)
    return {name: _check(hints[name]) for name in of._defaults}  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def _check(kind: Any) -> _Check:
    """What takes a value for such a field, or raises ValueError."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda value, _where: value
    if isinstance(kind, type) and issubclass(kind, Frozen):
        return lambda value, _where: kind.model_validate(value)
    if origin in (Union, UnionType):
        made = _either([_check(one) for one in arguments if one is not NoneType])
    elif origin is Literal:
        made = _one_of(arguments)
    elif origin is dict:
        made = _mapping(_check(arguments[1]))
    elif origin in (list, tuple):
        made = _several(origin, _check(arguments[0]))
    else:
        made = _plain(kind)
    return made


def _either(checks: list[_Check]) -> _Check:
    (only,) = checks  # nothing but `X | None` is needed
    return lambda value, where: None if value is None else only(value, where)


def _one_of(allowed: tuple[Any, ...]) -> _Check:
    def check(value: Any, where: str) -> Any:
        if value not in allowed:
            raise ValueError(f"{where}: {str(value)[:80]!a} is none of {', '.join(map(str, allowed))}")
        return value

    return check


def _mapping(inner: _Check) -> _Check:
    def check(value: Any, where: str) -> Any:
        if not isinstance(value, Mapping):
            raise _unfit(value, where, "a mapping")
        found = cast("Mapping[Any, Any]", value)
        if not all(isinstance(key, str) for key in found):
            raise _unfit(value, where, "a mapping of names")
        return {key: inner(one, where) for key, one in found.items()}

    return check


def _several(made: Callable[[list[Any]], Any], inner: _Check) -> _Check:
    def check(value: Any, where: str) -> Any:
        if not isinstance(value, list | tuple):
            raise _unfit(value, where, "a list")
        return made([inner(one, where) for one in cast("list[Any]", value)])

    return check


def _plain(kind: type) -> _Check:
    def check(value: Any, where: str) -> Any:
        if kind is float and type(value) is int:
            try:
                return float(value)
            except OverflowError:
                raise _unfit(value, where, "a number") from None
        if type(value) is not kind and not (kind is str and isinstance(value, str)):
            raise _unfit(value, where, kind.__name__)
        return value

    return check


def _unfit(value: Any, where: str, wanted: str) -> ValueError:
    return ValueError(f"{where}: {str(value)[:80]!a} is not {wanted}")
