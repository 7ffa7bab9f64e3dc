"""What DBOS stores is JSON, and what it reads is JSON or refused.

Its own default pickles, and it unpickles a row that says `py_pickle` whatever serializer it was given: whoever can
write a row would run code in every worker. `refuse_pickles` takes that away from the whole process.
"""

from __future__ import annotations

import json
from typing import Any, Never

from dbos import Serializer
from dbos._serialization import DBOSPortableJSON, DefaultSerializer, exception_to_workflow_error_data

from drillmark.errors import DrillmarkError


class PickleRefusedError(DrillmarkError):
    """A row of DBOS's tables claims to be pickled: it was not written by Drillmark, and is not read."""

    code = "pickle-refused"


class JsonSerializer(Serializer):
    """Portable JSON, in both directions."""

    def serialize(self, data: Any) -> str:
        """As JSON text; of an exception what can be told of it. Raises TypeError for what has none."""
        if isinstance(data, BaseException):
            data = exception_to_workflow_error_data(data)
        return DBOSPortableJSON.serialize(data)

    def deserialize(self, serialized_data: str) -> Any:
        """From JSON text. Raises ValueError for anything else."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """What stands beside each value."""
        return "drillmark_json"


def refuse_pickles() -> None:
    """From now on nothing in this process is pickled for DBOS, or unpickled by it."""
    DefaultSerializer.serialize = _refuse  # type: ignore[method-assign]
    DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign]


def _refuse(_self: Any, *_: Any) -> Never:
    raise PickleRefusedError(
        "a row of the fleet's database claims to be pickled; Drillmark writes JSON only, and reads nothing else",
        hint="find out who may write to that database",
    )
