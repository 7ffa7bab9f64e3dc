"""What a failing command says: one line for a known error, and a kept traceback for an unknown one.

Must never print or keep a secret: values of secret-looking environment variables and passwords within
connection texts are blanked before anything is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Never

import click

from drillmark.errors import EXIT_INTERNAL

_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|AUTH", re.IGNORECASE)
_SHORTEST_SECRET = 4
_PASSWORD_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@'\"]*):[^\s/@'\"]+@", re.IGNORECASE)
_PASSWORD_NAMED = re.compile(
    r"(\b(?:password|passwd|pwd|secret|token|api_?key)['\"]?\s*[=:]\s*)"
    r"(?:'[^']*'|\"[^\"]*\"|[^\s,;&)}]+)",
    re.IGNORECASE,
)
_LONGEST_MESSAGE = 300


def error_text(message: str, hint: str) -> str:
    """`error: ...` and, on a line of its own, `HINT: ...`; safe for a terminal."""
    from drillmark.report import words

    lines = [words.harmless(line) for line in message.splitlines() or [""]]
    lines[0] = f"error: {lines[0][:1].lower()}{lines[0][1:]}" if _sentence(lines[0]) else f"error: {lines[0]}"
    if hint:
        lines.append(f"HINT: {words.harmless(hint)}")
    return "\n".join(lines)


def report(error: Exception) -> Never:
    """Say in one line that Drillmark itself failed, keep the traceback, exit 5."""
    text = scrub("".join(traceback.format_exception(error)))
    kept = keep(text)
    said = scrub(" ".join(str(error).split()))[:_LONGEST_MESSAGE]
    what = f"drillmark itself failed: {type(error).__name__}" + (f": {said}" if said else "")
    hint = f"the traceback is in {kept}; please report it" if kept else "please report it"
    click.echo(error_text(what, hint), err=True)
    if kept is None:
        click.echo(text, err=True)
    sys.exit(EXIT_INTERNAL)


def scrub(text: str) -> str:
    """The text without values of secret-looking environment variables and without passwords."""
    values = {
        value
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET and not Path(value).is_absolute()
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "[redacted]")
    return _PASSWORD_NAMED.sub(r"\1[redacted]", _PASSWORD_IN_URL.sub(r"\1:[redacted]@", text))


def keep(text: str) -> Path | None:
    """Write the traceback where only the user reads it; None where no place can be written."""
    name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    folder = _workspace_folder()
    with contextlib.suppress(OSError):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            return _written(descriptor, folder / name, text)
    with contextlib.suppress(OSError):
        descriptor, path = tempfile.mkstemp(prefix="drillmark-", suffix=".txt")  # 0600
        return _written(descriptor, Path(path), text)
    return None


def _written(descriptor: int, path: Path, text: str) -> Path:
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    return path


def _workspace_folder() -> Path | None:
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / "drillmark.yaml").exists()), None)
    return None if root is None else root / ".drillmark" / "crashes"


def _sentence(line: str) -> bool:
    # "No such option" becomes lower case; "RTO ..." and "Foo.yaml:3" do not.
    first = line.split(" ", 1)[0]
    return first[:1].isupper() and first[1:].islower() and first.isalpha()
