"""From pydantic's errors to problems with a place, in words for the person who wrote the file."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from drillmark.define.base import WRONG, show
from drillmark.define.marks import Marks, Path, dotted
from drillmark.define.nearest import hint_for
from drillmark.errors import Problem

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}


def problems_of(error: ValidationError, model: type[BaseModel], marks: Marks) -> list[Problem]:
    """Every error of a validation, as problems in the order of the file."""
    found = [_problem(item, model, marks) for item in error.errors(include_url=False)]
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda problem: (problem.line, problem.column))


@dataclass(frozen=True, slots=True)
class _Found:
    """One of pydantic's errors, with its place in the file."""

    kind: str
    path: Path  # in the file
    located: tuple[str | int, ...]  # in the models: with the tags of unions
    value: Any
    context: dict[str, Any]
    text: str
    model: type[BaseModel]
    marks: Marks

    @property
    def name(self) -> str:
        return dotted(self.path)


def _problem(item: Any, model: type[BaseModel], marks: Marks) -> Problem:
    located: tuple[str | int, ...] = item["loc"]
    kind = item["type"]
    path: Path = tuple(part for part in located[:-1] if not _is_tag(part) and part != "[key]")
    # An unknown key may look like a tag of ours.
    if located and (kind == "extra_forbidden" or not (_is_tag(located[-1]) or located[-1] == "[key]")):
        path = (*path, located[-1])
    if kind != "missing":
        # A union of plain types names the one that was tried ("float"): no part of the file.
        while path and path not in marks.values:
            path = path[:-1]
    found = _Found(kind, path, located, item.get("input"), item.get("ctx", {}), item["msg"], model, marks)
    return _WORDS.get(kind, _wrong_value)(found)


def _unknown_key(found: _Found) -> Problem:
    key, parent = str(found.path[-1]), found.path[:-1]
    allowed = sorted({name for known in models_at(found.model, found.located[:-1]) for name in keys_of(known)})
    within = f" in `{dotted(parent)}`" if parent else ""
    return found.marks.problem(found.path, f"unknown key `{key}`{within}", hint_for(key, allowed), at_key=True)


def _missing_key(found: _Found) -> Problem:
    key, parent = str(found.path[-1]), found.path[:-1]
    texts = [_description(known, key) for known in models_at(found.model, found.located[:-1])]
    hint = next(filter(None, texts), "")
    message = f"`{found.name}` is missing"
    return found.marks.problem(parent, message, hint[:1].lower() + hint[1:], at_key=bool(parent))


def _own_words(found: _Found) -> Problem:
    prefix = f"`{found.name}`: " if found.name else ""
    return found.marks.problem(found.path, prefix + found.context["message"], found.context["hint"])


def _not_a_word(found: _Found) -> Problem:
    allowed = [text.strip("'") for text in found.context["expected"].replace(" or ", ", ").split(", ")]
    hint = hint_for(found.value, allowed) if isinstance(found.value, str) else f"allowed: {', '.join(allowed)}"
    return found.marks.problem(found.path, f"`{found.name}`: {show(found.value)} is not allowed", hint)


def _not_a_tag(found: _Found) -> Problem:
    allowed = [tag.strip("'<>") for tag in found.context["expected_tags"].split(", ")]
    tag = found.context["tag"].strip("<>")
    message = f"`{found.name}.type`: {show(tag)} is not allowed"
    return found.marks.problem((*found.path, "type"), message, hint_for(tag, allowed))


def _out_of_bounds(found: _Found) -> Problem:
    bound = _BOUNDS[found.kind].format(**found.context)
    return found.marks.problem(found.path, f"`{found.name}`: expected {bound}, found {show(found.value)}")


def _empty(found: _Found) -> Problem:
    return found.marks.problem(found.path, f"`{found.name}` is empty", "list something, or take the key away")


def _wrong_value(found: _Found) -> Problem:
    expected = _EXPECTED.get(found.kind)
    if expected is None:
        what = found.text[:1].lower() + found.text[1:]
        return found.marks.problem(found.path, f"`{found.name}`: {what}, found {show(found.value)}")
    is_number = isinstance(found.value, (int, float))
    hint = f'quote it: "{show(found.value)}"' if found.kind == "string_type" and is_number else ""
    name = f"`{found.name}`" if found.name else "the file"
    return found.marks.problem(found.path, f"{name}: expected {expected}, found {show(found.value)}", hint)


_WORDS: dict[str, Callable[[_Found], Problem]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing_key,
    WRONG: _own_words,
    "literal_error": _not_a_word,
    "union_tag_invalid": _not_a_tag,
    "too_short": _empty,
    **dict.fromkeys(_BOUNDS, _out_of_bounds),
}


def _is_tag(part: str | int) -> bool:
    """Unions name the branch that was taken in the location; ours are written `<ref>`."""
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys of a model, as they stand in files."""
    return [info.alias or name for name, info in model.model_fields.items()]


def _description(model: type[BaseModel], key: str) -> str:
    for name, info in model.model_fields.items():
        if key == (info.alias or name):
            return info.description or ""
    return ""


def models_at(model: type[BaseModel], located: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """The models that may stand at a location, following keys, items and the tags of unions."""
    current: list[Any] = [model]
    for part in located:
        current = [step for annotation in current for step in _step(annotation, part)]
    return [found for annotation in current for found in _models_in(annotation)]


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if _is_tag(part):
            yield annotation
        for name, info in annotation.model_fields.items():
            if part == (info.alias or name):
                yield info.annotation
                yield from info.metadata
    elif get_origin(annotation) is dict:
        yield get_args(annotation)[1]
    elif get_origin(annotation) is list and isinstance(part, int):
        yield get_args(annotation)[0]
    elif _is_tag(part):
        yield from (branch for branch in _branches(annotation) if _tag_of(branch) in (None, part))
    else:
        for branch in _branches(annotation):
            if branch is not annotation:
                yield from _step(branch, part)


def _branches(annotation: Any) -> list[Any]:
    """The alternatives of a union, looking through Annotated."""
    if hasattr(annotation, "__metadata__"):
        inner = annotation.__origin__
        return _branches(inner) if get_origin(inner) in (Union, types.UnionType) else [inner]
    if get_origin(annotation) in (Union, types.UnionType):
        return list(get_args(annotation))
    return []


def _tag_of(annotation: Any) -> str | None:
    return next((item.tag for item in getattr(annotation, "__metadata__", ()) if hasattr(item, "tag")), None)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for branch in _branches(annotation):
        yield from _models_in(branch)
