"""Where Drillmark's own database is, by DRILLMARK_DATABASE_URL; and how it is named without its password.

Imports no driver: readers ask whether there is one, and most workspaces have none.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from drillmark.errors import UsageError

URL = "DRILLMARK_DATABASE_URL"
_SCHEMES = ("postgresql", "postgres")


def configured() -> str:
    """The URL, or an empty string where the workspace's own files are used. Raises UsageError for any other kind."""
    url = os.environ.get(URL, "").strip()
    if url and url.partition("://")[0] not in _SCHEMES:
        raise UsageError(
            f"{URL} is not the address of a PostgreSQL database: {without_secrets(url)}",
            hint="it looks like postgresql://user@host:5432/drillmark; unset it to use the workspace's own files",
        )
    return url


def without_secrets(url: str) -> str:
    """The address for people: no user's password, and no parameters, as a password may stand among them."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    if not parts.scheme:
        return "an address without a scheme"
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
