"""The plan as canonical JSON, and its hash: the same wherever and whenever the same plan is made."""

from __future__ import annotations

import hashlib
import json

from drillmark.model.plan import Plan


def canonical_json(plan: Plan) -> bytes:
    """The plan as UTF-8 JSON: keys sorted, no spaces. Raises ValueError on a number that JSON does not have."""
    data = plan.model_dump(mode="json")
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest(plan: Plan) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(plan)).hexdigest()
