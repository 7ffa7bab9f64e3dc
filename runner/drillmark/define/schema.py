"""JSON Schemas of what people write, made from the models: completion in an editor, and a check without us.

Rules that join several fields, and everything about other files, stay with `drillmark validate`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from drillmark.define.drill import Drill
from drillmark.define.settings import Settings
from drillmark.define.targets import Targets
from drillmark.define.units import WORKSPACE_PATH_SCHEMA

MODELS: dict[str, type[BaseModel]] = {"drill": Drill, "targets": Targets, "settings": Settings}
TITLES = {"drill": "a drill (drills/*.yaml)", "targets": "targets.yaml", "settings": "drillmark.yaml"}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(name: str) -> dict[str, Any]:
    """The schema of `drill`, `targets` or `settings`. Raises KeyError for another name."""
    model = MODELS[name]
    made = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    tidy = _tidy(made)
    if name == "drill":
        _add_short_forms(tidy)
    head = {"$schema": _DIALECT, "$id": f"https://drillmark.readthedocs.io/schemas/{name}.json"}
    return head | {"title": f"Drillmark: {TITLES[name]}"} | tidy


def text(name: str) -> str:
    """The schema as it stands in `schemas/NAME.json`."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """Pydantic's own, without defaults that are written otherwise in files (numbers with units, whole mappings)."""

    def default_schema(self, schema: Any) -> dict[str, Any]:
        made = self.generate_inner(schema["schema"])
        if "$ref" in made:
            made = {"allOf": [made]}  # a bare reference would lose the field's own description
        default = schema.get("default")
        return made | {"default": default} if isinstance(default, (str, bool, int)) else made


def _tidy(value: Any) -> Any:
    """No titles made of field names, no `null` (a key without a value is an error), unions as `anyOf`."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: _tidy(item) for key, item in value.items() if not (key == "title" and isinstance(item, str))}
    if len(made.get("allOf") or ()) == 1:
        made = made.pop("allOf")[0] | made
    if "patternProperties" in made:
        made["additionalProperties"] = False
    if "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")
    if isinstance(made.get("anyOf"), list):
        choices = [choice for choice in made["anyOf"] if choice != {"type": "null"}]
        if len(choices) == 1:
            del made["anyOf"]
            made = choices[0] | made
        else:
            made["anyOf"] = choices
    return made


def _add_short_forms(drill: dict[str, Any]) -> None:
    """A path may stand for a fault or a load; a fault is needed but for a tabletop."""
    path = WORKSPACE_PATH_SCHEMA
    definitions = drill["$defs"]
    for name in ("Fault", "Load"):
        whole = definitions.pop(name)
        definitions[f"{name}Mapping"] = whole
        definitions[name] = {
            "description": whole["description"],
            "anyOf": [path, {"$ref": f"#/$defs/{name}Mapping"}],
        }
    definitions["LoadMapping"]["dependentRequired"] = {"master": ["workers"], "workers": ["master"]}
    definitions["Schedule"]["oneOf"] = [{"required": ["every"]}, {"required": ["cron"]}]
    drill["if"] = {"not": {"properties": {"mode": {"const": "tabletop"}}, "required": ["mode"]}}
    drill["then"] = {"required": ["fault"]}
