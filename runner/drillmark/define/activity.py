"""Chaos Toolkit activities as they stand in drills and targets, and references to a target's own.

Their shape is Chaos Toolkit's. Only what Drillmark itself relies on is checked here; the rest is asked of
Chaos Toolkit. Unknown keys pass there in silence, so here they are warned of, never refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from drillmark.define.base import Lenient, Strict, wrong
from drillmark.define.units import Name, PositiveSeconds

Arguments = dict[str, Any] | list[Any] | str


class PythonProvider(Lenient):
    """A Python function is called."""

    type: Literal["python"] = Field(description="A Python function.")
    module: Name = Field(
        description="The module that holds the function.", examples=["drillmark.recovery.postgres_pitr"]
    )
    func: Name = Field(description="The function's name.", examples=["restore"])
    arguments: dict[str, Any] | None = Field(default=None, description="Arguments, by name.")
    secrets: list[str] | None = Field(default=None, description="Names of the secrets blocks that the function gets.")
    timeout: float | str | None = Field(default=None, description="Seconds after which the activity is ended.")


class ProcessProvider(Lenient):
    """A process is run."""

    type: Literal["process"] = Field(description="A process.")
    path: Name = Field(description="The executable.")
    arguments: Arguments | None = Field(default=None, description="Arguments: a list, a mapping, or a shell's text.")
    secrets: list[str] | None = Field(default=None, description="Names of the secrets blocks that may be filled in.")
    timeout: float | str | None = Field(default=None, description="Seconds after which the process is ended.")


class HttpProvider(Lenient):
    """An HTTP request is sent."""

    type: Literal["http"] = Field(description="An HTTP request.")
    url: Name = Field(description="The address.", examples=["${orders_url}/health"])
    method: str | None = Field(default=None, description="The HTTP method; GET unless given.")
    headers: dict[str, Any] | None = Field(default=None, description="Headers to send.")
    arguments: Any = Field(default=None, description="The query (GET) or the body.")
    secrets: list[str] | None = Field(default=None, description="Names of the secrets blocks that may be filled in.")
    timeout: float | str | list[float] | None = Field(default=None, description="Seconds to connect and to read.")
    verify_tls: bool | None = Field(
        default=None, description="Whether certificates are checked; they are unless false."
    )
    max_retries: int | None = Field(default=None, description="How often a failed request is sent again.")


def _provider_tag(value: Any) -> str:
    kind = value.get("type", "python") if isinstance(value, dict) else getattr(value, "type", "python")
    return f"<{kind}>"


Provider = Annotated[
    Annotated[PythonProvider, Tag("<python>")]
    | Annotated[ProcessProvider, Tag("<process>")]
    | Annotated[HttpProvider, Tag("<http>")],
    Discriminator(_provider_tag),
]


class Activity(Lenient):
    """A Chaos Toolkit activity, written out."""

    name: Name = Field(description="The activity's name; references use it.")
    type: Literal["probe", "action"] = Field(description="A probe only looks, an action changes something.")
    provider: Provider = Field(description="What is called: a Python function, a process or an HTTP request.")
    tolerance: Any = Field(default=None, description="Of a probe: what its answer must be, as Chaos Toolkit has it.")
    pauses: dict[str, Any] | None = Field(default=None, description="Seconds to wait `before` and `after`.")
    background: bool | None = Field(default=None, description="Start it and go on at once.")
    controls: Any = Field(default=None, description="Chaos Toolkit controls of this activity.")
    secrets: Any = Field(default=None, description="Names of the secrets blocks that the activity gets.")
    repeatable: bool = Field(
        default=False, description="May run again after a crash (it looks first at what is there)."
    )

    def as_chaos(self) -> dict[str, Any]:
        """The activity in Chaos Toolkit's own shape, with the keys that were written and no others."""
        return self.model_dump(exclude_unset=True, exclude={"repeatable"})


class Ref(Strict):
    """One of the target's activities, by name."""

    ref: Name = Field(description="The name of one of the target's activities.")
    arguments: dict[str, Any] | None = Field(default=None, description="Arguments laid over the activity's own.")
    repeatable: bool | None = Field(
        default=None, description="May run again after a crash (it looks first at what is there)."
    )
    timeout: PositiveSeconds | None = Field(default=None, description="How long it may take before it is ended.")

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise wrong(f'expected a reference or an activity, found "{value}"', f"write {{ref: {value}}}")
        return value


def _use_tag(value: Any) -> str:
    keys = value if isinstance(value, dict) else {}
    if isinstance(value, Activity) or (
        isinstance(value, dict) and "ref" not in keys and {"name", "type", "provider"} & keys.keys()
    ):
        return "<activity>"
    return "<ref>"


Use = Annotated[
    Annotated[Ref, Tag("<ref>")] | Annotated[Activity, Tag("<activity>")],
    Discriminator(_use_tag),
]
