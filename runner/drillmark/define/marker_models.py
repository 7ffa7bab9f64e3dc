"""Marker writers as they stand in targets and drills: what is written to, how often, by which requests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from drillmark.define.base import ONE, SEVERAL, Strict, one_or_several
from drillmark.define.units import Name, PositiveSeconds, Slug

Status = Annotated[int, Field(ge=100, le=599)]


class MarkerRequest(Strict):
    """A request that writes a marker, as Chaos Toolkit's `http` provider has it."""

    url: Name = Field(description="The address.", examples=["${orders_url}/markers/${marker_row}"])
    method: str | None = Field(default=None, description="The HTTP method: POST, PUT and DELETE unless given.")
    headers: dict[str, Any] | None = Field(default=None, description="Headers to send.")
    arguments: Any = Field(default=None, description="The body: JSON where the Content-Type is application/json.")
    tolerance: Any = Field(
        default=None, description="What an acknowledgement must be; any 2xx but 202 (accepted, not done) unless given."
    )
    refused: list[Status] | None = Field(
        default=None,
        description="Statuses that say that nothing was done; any 4xx but 408, 409, 412 and 425 unless given.",
    )


class MarkerReading(Strict):
    """The request that reads the markers back: all in one, in pages, or one by one."""

    url: Name = Field(
        description="The address; with ${marker_after} it is asked page by page, with ${marker_row} row by row."
    )
    method: str | None = Field(default=None, description="The HTTP method; GET unless given.")
    headers: dict[str, Any] | None = Field(default=None, description="Headers to send.")
    arguments: Any = Field(default=None, description="The query (GET) or the body.")
    rows: Name | None = Field(default=None, description="JSON path to the rows; `$[*]` unless given.")
    row: Name | None = Field(
        default=None,
        description="JSON path in a row to its number; `$.id` unless given. An answer to one row must hold it.",
    )
    write: Name | None = Field(
        default=None, description="JSON path in a row to the number of its last write; needed where rows are updated."
    )


class Markers(Strict):
    """A marker writer: numbered writes all through the drill, by which data loss is measured."""

    name: Slug | None = Field(
        default=None, description="What it is called; its store unless given. In a drill: which of the target's it is."
    )
    store: Literal["postgres", "http"] | None = Field(
        default=None, description="What is written to: a database, or a service over HTTP; `postgres` unless given."
    )
    secrets: Name | None = Field(
        default=None, description="The secrets block: for postgres with a `dsn`, for http what requests may fill in."
    )
    side: Name | None = Field(
        default=None, description="The secrets block with the `dsn` of a restored copy (simulated disasters)."
    )
    every: PositiveSeconds | None = Field(
        default=None,
        description="The time from write to write, all connections together; 10ms unless given, over HTTP 50ms.",
    )
    writers: int | None = Field(default=None, ge=1, le=256, description="Connections that write; 4 unless given.")
    changes: bool | None = Field(
        default=None, description="Whether rows are also updated and deleted; they are unless false."
    )
    timeout: PositiveSeconds | None = Field(
        default=None, description="Over HTTP: how long an answer may take; 2s unless given."
    )
    verify_tls: bool | None = Field(
        default=None, description="Over HTTP: whether certificates are checked; they are unless false."
    )
    insert: MarkerRequest | None = Field(default=None, description="Over HTTP: writes a new row.")
    update: MarkerRequest | None = Field(default=None, description="Over HTTP: changes a row; without it none is.")
    delete: MarkerRequest | None = Field(default=None, description="Over HTTP: deletes a row; without it none is.")
    read: MarkerReading | None = Field(default=None, description="Over HTTP: reads the rows back.")


MarkersOrSeveral = Annotated[
    Annotated[Markers, Tag(ONE)] | Annotated[list[Markers], Field(min_length=1), Tag(SEVERAL)],
    Discriminator(one_or_several),
]
