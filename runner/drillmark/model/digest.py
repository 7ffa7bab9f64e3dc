"""The plan as canonical JSON, and its hash: the same wherever and whenever the same plan is made."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from drillmark.model.plan import Plan


def canonical_json(plan: Plan) -> bytes:
    """The plan as UTF-8 JSON: keys sorted, no spaces. Raises ValueError on a number that JSON does not have."""
    return canonical(plan.model_dump(mode="json"))


def digest(plan: Plan) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(plan)).hexdigest()


def stored_digest(text: str) -> str:
    """The same of a plan as it was stored, whatever version of the program made it. Raises ValueError: no JSON."""
    return hashlib.sha256(canonical(json.loads(text))).hexdigest()


def canonical(data: Any) -> bytes:
    """JSON as UTF-8: keys sorted, no spaces. Raises ValueError on a number that JSON does not have."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")
