"""The gap register: what fell short, filed once, updated by later runs, closed by the retest that passes.

`filing` decides and is pure; `register` keeps the files; `advice` holds the recommendations. Must never lose a
file that it cannot read, nor close anything on the word of a run that did not pass.
"""

from typing import TYPE_CHECKING

from drillmark import lazily

if TYPE_CHECKING:
    from drillmark.gaps.filing import fingerprint
    from drillmark.gaps.register import Stored, amend, file, note, read

__all__ = ["Stored", "amend", "file", "fingerprint", "note", "read"]

__getattr__ = lazily.parts(
    __name__,
    {
        "Stored": "register",
        "amend": "register",
        "file": "register",
        "fingerprint": "filing",
        "note": "register",
        "read": "register",
    },
)
