"""Ransom: the newest backup is gone together with the data, and only an older one is left to recover from.

The backup is moved aside, never deleted, and only where what is left can be restored. The host is `postgres_host`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaoslib.exceptions import ActivityFailed

from drillmark import site
from drillmark.errors import RecoveryError
from drillmark.faults import postgres_host
from drillmark.faults.deeds import Deed, place
from drillmark.lab import control as lab_control
from drillmark.recovery import backups as base_backups
from drillmark.recovery import postgres_pitr
from drillmark.recovery.activity import Configuration, Secrets, activity, path_setting
from drillmark.recovery.marker import this_run

FAULT = "newest-backup-taken"


@activity
def have_an_older_backup(backups: str | None = None, configuration: Configuration = None) -> int:
    """Before the fault: a lab that has one backup takes another. Raises ActivityFailed where there are not two."""
    folder, control = path_setting(backups, configuration, "backups", "backups"), site.control_of(configuration)
    if control and len(base_backups.candidates(folder)) == 1:
        lab_control.call(control, "POST", "/backup", timeout_seconds=300)
    return len(_two(folder))


@activity
def strike(backups: str | None = None, configuration: Configuration = None, secrets: Secrets = None) -> dict[str, Any]:
    """Move the newest complete backup out of `backups`, prove that what is left can be restored, lose the host.

    One action, as a method goes on after one that failed. ActivityFailed: the older one would not do, nothing is lost.
    """
    folder = path_setting(backups, configuration, "backups", "backups")
    newest, older = _two(folder)[:2]
    aside = folder.parent / "drillmark-aside" / f"{this_run() or 'by-hand'}-{newest.name}"
    deed = Deed.begin(FAULT, place(configuration), backup=str(newest), aside=str(aside))
    aside.parent.mkdir(mode=0o700, exist_ok=True)
    newest.rename(aside)
    try:
        postgres_pitr.is_restorable("1d", str(folder), configuration=configuration, secrets=secrets)
    except ActivityFailed as error:
        _give_back(deed)
        raise RecoveryError(f"nothing was lost: the older backup {older.name} would not do: {error}") from error
    postgres_host.lose_host(configuration=configuration)
    return {"taken": newest.name, "left": older.name}


@activity
def give_backup_back(configuration: Configuration = None) -> str:
    """The undo: the backup is in its place again."""
    deed = Deed.read(FAULT, place(configuration))
    return (deed.undone or _give_back(deed)) if deed else "no backup was taken"


@activity
def has_struck(configuration: Configuration = None) -> bool:
    """The proof, true until the undo: the backup is aside, and the host of the data is lost."""
    deed = Deed.read(FAULT, place(configuration))
    if deed is None or deed.undone or Path(deed.facts["backup"]).exists():
        return False
    return Path(deed.facts["aside"]).exists() and postgres_host.is_lost(configuration=configuration)


def _two(folder: Path) -> list[Path]:
    found = base_backups.candidates(folder)
    if len(found) < 2:  # noqa: PLR2004
        raise RecoveryError(f"{len(found)} complete backups in {folder}: without the newest nothing would be left")
    return found


def _give_back(deed: Deed) -> str:
    backup, aside = Path(deed.facts["backup"]), Path(deed.facts["aside"])
    if aside.exists() and backup.exists():
        raise RecoveryError(f"{backup} is there again, and so is {aside}", hint="a person must choose")
    if aside.exists():
        aside.rename(backup)
    return deed.end(f"backup {backup.name} is back")
