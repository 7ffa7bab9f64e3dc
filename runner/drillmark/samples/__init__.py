"""Sample files (`*.dms`): compact columns beside the run, written by observers and read by measuring.

Append-only and crash-tolerant: cut anywhere, a file reads as a prefix of its whole rows. The format is
described in `docs/reference/samples.md`. Must never raise because a writer was killed in mid-write.
"""

from typing import TYPE_CHECKING

from drillmark import lazily

if TYPE_CHECKING:
    from drillmark.samples.layout import (
        BEATS,
        LAYOUTS,
        LEDGER,
        LEDGER_OF_INSERTS,
        LOAD,
        LOAD_CLOCKS,
        LOAD_USERS,
        POSITIONS,
        SURVIVORS,
        LedgerKind,
        LedgerOp,
    )
    from drillmark.samples.pieces import StoredRows, stored
    from drillmark.samples.reader import Survey, Tail, digest, read_from, survey, texts
    from drillmark.samples.whole import read
    from drillmark.samples.writer import SampleWriter

__all__ = [
    "BEATS",
    "LAYOUTS",
    "LEDGER",
    "LEDGER_OF_INSERTS",
    "LOAD",
    "LOAD_CLOCKS",
    "LOAD_USERS",
    "POSITIONS",
    "SURVIVORS",
    "LedgerKind",
    "LedgerOp",
    "SampleWriter",
    "StoredRows",
    "Survey",
    "Tail",
    "digest",
    "read",
    "read_from",
    "stored",
    "survey",
    "texts",
]

__getattr__ = lazily.parts(
    __name__,
    {
        "BEATS": "layout",
        "LAYOUTS": "layout",
        "LEDGER": "layout",
        "LEDGER_OF_INSERTS": "layout",
        "LOAD": "layout",
        "LOAD_CLOCKS": "layout",
        "LOAD_USERS": "layout",
        "LedgerKind": "layout",
        "LedgerOp": "layout",
        "POSITIONS": "layout",
        "SURVIVORS": "layout",
        "SampleWriter": "writer",
        "StoredRows": "pieces",
        "Survey": "reader",
        "Tail": "reader",
        "digest": "reader",
        "read": "whole",
        "read_from": "reader",
        "stored": "pieces",
        "survey": "reader",
        "texts": "reader",
    },
)
