"""What an activity returns, made into JSON of bounded size, and whether it is an answer at all.

Must never raise, whatever the activity returned.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

LIMIT_BYTES = 64 * 1024
_LEAF_BYTES = 16 * 1024
_NOTE_BYTES = 200
_DEPTH = 40
_HTTP_ERROR = 400
_SAID_CHARACTERS = 500

_STATUS_PATH = re.compile(r"""^\$(\.|\[["'])status\b""")
_CHAOSLIBS_OWN = "chaoslib.exceptions.ActivityFailed: "


def jsonable(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """The value as JSON knows it: keys are texts, no NaN, bytes and objects as texts."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if depth >= _DEPTH:
        return "[nested too deeply]"
    if isinstance(value, Mapping):
        return {_key(key): jsonable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item, depth + 1) for item in value]
    isoformat = getattr(value, "isoformat", None)
    return _text(isoformat() if callable(isoformat) else value)


def cut(value: Any) -> Any:
    """The JSON value, or what of it fits into 64 KiB, saying so."""
    if _size(value) <= LIMIT_BYTES:
        return value
    if isinstance(value, str):
        return _cut_text(value, LIMIT_BYTES)
    shorter = _cut_leaves(value)
    if _size(shorter) <= LIMIT_BYTES:
        return shorter
    text = json.dumps(value, ensure_ascii=False)
    return {
        "drillmark_cut": f"{len(text)} characters of JSON; this is how it begins",
        "begins": _cut_text(text, _LEAF_BYTES),
    }


def provider_failure(activity: dict[str, Any], output: Any) -> str:
    """Why an action has failed although chaoslib lets it pass: an HTTP status of 400 or more, an exit status not 0.

    Empty where it has not. A probe may well see such a thing: what that means, its tolerance says.
    """
    return "" if activity.get("type") != "action" or "tolerance" in activity else _bad_status(activity, output)


def no_answer(activity: dict[str, Any], output: Any) -> str:
    """Why a value outside the tolerance is no answer at all: an error page, a program that came to nothing.

    Empty where it is one: a tolerance that names the status is about just that.
    """
    return "" if names_status(activity.get("tolerance")) else _bad_status(activity, output)


def names_status(tolerance: Any) -> bool:
    """Whether a tolerance says itself which statuses are right, of HTTP or of a process."""
    if isinstance(tolerance, bool):
        return False
    if isinstance(tolerance, int | list):
        return True  # chaoslib compares both with the status
    if not isinstance(tolerance, dict):
        return False
    if tolerance.get("type") == "jsonpath" and not tolerance.get("target"):
        return _STATUS_PATH.match(str(tolerance.get("path", ""))) is not None
    return tolerance.get("target") == "status"


def _bad_status(activity: dict[str, Any], output: Any) -> str:
    status = output.get("status") if isinstance(output, dict) else None
    kind = (activity.get("provider") or {}).get("type")
    if not isinstance(status, int):
        return ""
    if kind == "http" and status >= _HTTP_ERROR:
        return f"the answer has the HTTP status {status}"
    if kind == "process" and status != 0:
        said = str(output.get("stderr") or output.get("stdout") or "").strip()[-_SAID_CHARACTERS:]
        return f"the process ended with the status {status}" + (f": {said}" if said else "")
    return ""


def failure_text(run: dict[str, Any]) -> str:
    """Why an activity failed, in a line: the exception itself, without its traceback and chaoslib's own name for it.

    The whole traceback stands in Chaos Toolkit's own journal and in the child's log.
    """
    lines = [line for line in run.get("exception") or () if line.strip()]
    text = lines[-1].strip() if lines else ""
    while text.startswith(_CHAOSLIBS_OWN):
        text = text.removeprefix(_CHAOSLIBS_OWN)
    return text or "it ended without a status"


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8"))


def _cut_leaves(value: Any) -> Any:
    if isinstance(value, str):
        return _cut_text(value, _LEAF_BYTES)
    if isinstance(value, dict):
        return {key: _cut_leaves(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut_leaves(item) for item in value]
    return value


def _cut_text(text: str, limit_bytes: int) -> str:
    data = text.encode("utf-8")
    if len(data) <= limit_bytes and _size(text) <= limit_bytes:
        return text
    keep_bytes = limit_bytes // 2
    while True:
        kept = data[:keep_bytes].decode("utf-8", "ignore")
        # JSON needs up to six bytes for one control character.
        if _size(kept) <= limit_bytes - _NOTE_BYTES:
            return f"{kept}\n[cut: {len(data)} bytes in all, the first {len(kept.encode())} are shown]"
        keep_bytes //= 2


def _key(key: Any) -> str:
    # As `json` itself writes them.
    return json.dumps(key) if key is None or isinstance(key, bool) else _text(key)


def _text(value: Any) -> str:
    try:
        text = str(value)
    except Exception as error:  # noqa: BLE001 - an object's own __str__ may raise anything
        text = f"<{type(value).__name__} without a text: {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
