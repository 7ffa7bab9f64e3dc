"""The bytes of a sample file: header line, blocks, and the columns of each kind of file.

A header line of JSON, then blocks: `u32 rows, u32 payload bytes, u32 crc32, payload`, little-endian. The CRC
covers the first two numbers and the payload. A block with rows holds its columns one after another; a block
without rows holds a JSON object: new dictionary words, additions to `meta`, or the mark of a clean end.
Nothing here opens a file.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

from drillmark.errors import SampleFileError

ColumnType = Literal["i8", "i4", "u1", "text"]

FORMAT = "drillmark.samples/1"
MAGIC = b'{"format":"drillmark.samples/'
HEADER_LIMIT_BYTES = 1 << 20
CONTROL_LIMIT_BYTES = 1 << 24
BLOCK_LIMIT_ROWS = 1 << 16
TEXT_LIMIT_CHARACTERS = 200
WORDS_LIMIT = 100_000  # per column; later words become OTHER_WORD, so a file of unique errors stays small
OTHER_WORD = "(other)"

BLOCK = struct.Struct("<III")
# A file in which no block is whole within so many bytes is damaged there. Rows take less, in all layouts below.
LARGEST_BLOCK_BYTES = BLOCK.size + CONTROL_LIMIT_BYTES
_SIZES_AND_ROWS = struct.Struct("<II")

# The width in bytes, the numpy type and the struct code of each column type; text is an index.
WIDTH: dict[str, int] = {"i8": 8, "i4": 4, "u1": 1, "text": 4}
NUMPY_TYPE: dict[str, str] = {"i8": "<i8", "i4": "<i4", "u1": "u1", "text": "<i4"}
STRUCT_CODE: dict[str, str] = {"i8": "q", "i4": "i", "u1": "B", "text": "i"}

BEATS: dict[str, ColumnType] = {
    "beat": "i8",
    "probe": "text",
    "sent_ns": "i8",
    "received_ns": "i8",
    "ok": "u1",
    "detail": "text",
}
LOAD: dict[str, ColumnType] = {
    "start_ns": "i8",
    "latency_ns": "i8",
    "name": "text",
    "ok": "u1",
    "error": "text",
}
LOAD_USERS: dict[str, ColumnType] = {"at_ns": "i8", "users": "i4"}
# Two stamps of the master's clock, and what a worker's own clock said between them.
LOAD_CLOCKS: dict[str, ColumnType] = {"worker": "i4", "at_ns": "i8", "sent_ns": "i8", "received_ns": "i8"}
LEDGER: dict[str, ColumnType] = {
    "kind": "u1",
    "id": "i8",
    "at_ns": "i8",
    "writer": "i4",
    "lsn": "i8",
    "timeline": "i4",
    "op": "u1",
    "key": "i8",
}
# What ledgers were before rows could be changed: every write is an insert. Taken up as they are.
LEDGER_OF_INSERTS: dict[str, ColumnType] = {name: kind for name, kind in LEDGER.items() if name not in ("op", "key")}
SURVIVORS: dict[str, ColumnType] = {"id": "i8", "value": "i8"}
POSITIONS: dict[str, ColumnType] = {
    "sent_ns": "i8",
    "received_ns": "i8",
    "position": "i8",
    "timeline": "i4",
    "ok": "u1",
    "detail": "text",
}

# By file name without suffix: what a file is that was cut within its header line.
LAYOUTS: dict[str, dict[str, ColumnType]] = {
    "beats": BEATS,
    "load": LOAD,
    "load-users": LOAD_USERS,
    "load-clocks": LOAD_CLOCKS,
    "ledger": LEDGER,
    "survivors": SURVIVORS,
    "positions": POSITIONS,
    "side": BEATS,
}


class LedgerKind(IntEnum):
    """What a row of the ledger says about its write."""

    INVOKED = 0
    ACKNOWLEDGED = 1
    FAILED = 2
    INDETERMINATE = 3


class LedgerOp(IntEnum):
    """What a write does to its row."""

    INSERT = 0
    UPDATE = 1
    DELETE = 2


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a sample file."""

    columns: dict[str, ColumnType]
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def row_bytes(self) -> int:
        """Bytes that one row takes in a block."""
        return sum(WIDTH[kind] for kind in self.columns.values())

    @property
    def text_columns(self) -> list[str]:
        """Names of the dictionary-coded columns."""
        return [name for name, kind in self.columns.items() if kind == "text"]

    def encode(self) -> bytes:
        """The header line with its newline."""
        document = {"format": FORMAT, "columns": list(self.columns.items()), "meta": self.meta}
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def decode_header(line: bytes, name: str) -> Header:
    """The header in `line`. Raises SampleFileError where it is no header of this format."""
    try:
        document = json.loads(line)
        columns: dict[str, ColumnType] = {str(column): kind for column, kind in document["columns"]}
        meta = document["meta"]
        known = document["format"] == FORMAT and isinstance(meta, dict)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SampleFileError(f"not a sample file: {name}", hint="its first line is damaged") from error
    if not known or not columns or not all(kind in WIDTH for kind in columns.values()):
        raise SampleFileError(
            f"sample file in a format that is not known here: {name}",
            hint=f"this version of drillmark reads {FORMAT}",
        )
    return Header(columns, meta)


def block(rows: int, payload: bytes) -> bytes:
    """A whole block."""
    return BLOCK.pack(rows, len(payload), checksum(rows, payload)) + payload


def control_block(document: dict[str, Any]) -> bytes:
    """A block without rows."""
    return block(0, json.dumps(document, separators=(",", ":")).encode())


def checksum(rows: int, payload: bytes | memoryview) -> int:
    """CRC-32 of a block, its sizes included, so that no damaged size is believed."""
    return zlib.crc32(payload, zlib.crc32(_SIZES_AND_ROWS.pack(rows, len(payload))))
