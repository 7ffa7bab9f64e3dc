"""Makes one whole data directory of an incremental backup and those that it builds on, by `pg_combinebackup`.

Must never write into any of the backups, nor over a file. Durability is the server's, as with a copied backup.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from drillmark import postgres
from drillmark.errors import LabError, RecoveryError
from drillmark.recovery.backups import Backup
from drillmark.recovery.progress import Progress

_TIMEOUT_SECONDS = 24 * 3600
_DRAFT = ".combined"


def combine(backup: Backup, into: Path, *, leave_out: frozenset[str], progress: Progress) -> int:
    """Combine into the existing directory `into`. Returns how many bytes came of it.

    Args:
        backup: an incremental backup with its parents.
        into: where it goes; of what is made nothing may be there yet.
        leave_out: names at the top that are not wanted.
        progress: told of the begin and of the end.

    Raises RecoveryError where the program is missing, too old, or does not find the backups good.
    """
    draft = into / _DRAFT
    progress.begin("copy", 0)
    postgres.hand_over(into)
    chain = [*(parent.directory for parent in backup.parents), backup.directory]
    try:
        argv: list[str | Path] = [postgres.binary("pg_combinebackup"), "--no-sync", "--no-manifest", "-o", draft]
        postgres.run([*argv, *chain], timeout_seconds=_TIMEOUT_SECONDS)
        # As root's own process may have made it: what follows moves and never copies.
        for entry in list(draft.iterdir()):
            if entry.name in leave_out:
                entry.unlink()
            else:
                entry.rename(into / entry.name)
        draft.rmdir()
    except LabError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise RecoveryError(
            f"backup {backup.directory} cannot be combined with those that it builds on: {error}",
            hint="pg_combinebackup comes with PostgreSQL 17 and later; a backup goes only with its own parents",
        ) from error
    total = sum(path.stat().st_size for path in into.rglob("*") if path.is_file())
    progress.at(total)
    progress.end()
    return total
