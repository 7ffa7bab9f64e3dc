"""Drill to plan: references resolved, defaults filled in, every fault's undo known, and a hash over it all.

Pure: the files' texts and hashes are handed in. What cannot be resolved is told by `check`, with its place;
what Drillmark cannot do yet is told by `unsupported`, so that nothing is ignored in silence.
"""

from drillmark.model.digest import canonical_json, digest, stored_digest
from drillmark.plan.check import check
from drillmark.plan.make import make
from drillmark.plan.unsupported import unsupported

__all__ = ["canonical_json", "check", "digest", "make", "stored_digest", "unsupported"]
