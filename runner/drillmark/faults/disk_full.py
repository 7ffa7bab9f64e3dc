"""The disk of a PostgreSQL server is full: what needs room is refused, reading goes on.

A small file system is filled; else a quota on the server's files does the same; else it says why, and refuses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drillmark import site
from drillmark.errors import RecoveryError
from drillmark.faults import room
from drillmark.faults.deeds import Deed
from drillmark.recovery.activity import Configuration, Secrets, activity, need_dsn

FAULT = "disk-full"


@activity
def fill(
    table: str,
    filler: str,
    small_bytes: int = 2 << 30,
    data_directory: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> dict[str, Any]:
    """Leave the server no room, and see that `filler` fails: it puts more into `table` than its blocks have room for.

    It is rolled back. Raises ActivityFailed where that cannot be had here, or the filler still finds room.
    """
    server, users = site.find(configuration, data_directory=data_directory), need_dsn(dsn, secrets, configuration)
    ballast = room.ballast_for(server.data_directory, small_bytes)
    if not ballast and (refused := room.no_quota_because(server.data_directory)):
        raise RecoveryError(f"the disk cannot be filled: its file system is not small, and no quota: {refused}")
    limit = room.largest_file_bytes(server.data_directory)
    facts = {"ballast": str(ballast)} if ballast else {"limit": limit, "before": room.quota(server.data_directory)}
    vacuumed = room.is_vacuumed(users, table)
    Deed.begin(FAULT, server, **facts, table=table if vacuumed else "")
    if vacuumed:
        room.vacuum(users, table, on=False)
    if ballast:
        how = f"{room.fill_up(ballast)} bytes of ballast"
    else:
        room.put_quota(server.data_directory, limit)
        how = f"no file beyond {limit} bytes"
    if not room.refuses(users, filler):
        raise RecoveryError(f"the disk is not full: the filler still found room, with {how}")
    return {"cluster": server.name, "way": "ballast" if ballast else "quota", "how": how}


@activity
def make_room(
    data_directory: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> str:
    """The undo: ballast and quota are gone, a server that stopped for want of room is up, and vacuum is at work."""
    deed = Deed.read(FAULT, site.find(configuration, data_directory=data_directory))
    if deed is None or deed.undone:
        return deed.undone if deed else "the disk was not filled"
    if "ballast" in deed.facts:
        Path(deed.facts["ballast"]).unlink(missing_ok=True)
    else:
        room.put_quota(deed.site.data_directory, deed.facts["before"])
    if deed.site.control and deed.site.serves():
        deed.site.wait_until_ready(timeout_seconds=50)
    if deed.facts["table"]:
        room.vacuum(need_dsn(dsn, secrets, configuration), deed.facts["table"], on=True)
    return deed.end(f"{deed.site.name} has room")


@activity
def is_full(data_directory: str | None = None, configuration: Configuration = None) -> bool:
    """The proof, true until the undo: the ballast is there, or every process of the server has the quota."""
    deed = Deed.read(FAULT, site.find(configuration, data_directory=data_directory))
    if deed is None or deed.undone:
        return False
    if "ballast" in deed.facts:
        return room.has_ballast(Path(deed.facts["ballast"]))
    return room.has_quota(deed.site.data_directory, deed.facts["limit"])
