"""The marker writer's ledger against what was restored, for `verify`: counts and content, row by row.

What the restore must have brought back is known from the ledger alone: whatever was acknowledged before a write was
sent whose log position the restore reached. Reads only. The RPA does not rest on this: it is counted at the end, after
the writer has stopped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drillmark import samples
from drillmark.errors import RecoveryError, SampleFileError
from drillmark.model.evidence import Table
from drillmark.recovery import marker
from drillmark.recovery.activity import Configuration, Secrets, activity, logger, need_dsn, path_setting
from drillmark.recovery.connecting import store
from drillmark.samples import LedgerKind, LedgerOp

__all__ = ["rows_match_ledger"]

_SHOWN = 5
_TABLE = "drillmark.markers"


@activity
def rows_match_ledger(
    writer: str = "",
    into: str | None = None,
    data_directory: str | None = None,
    dsn: str | None = None,
    configuration: Configuration = None,
    secrets: Secrets = None,
) -> bool:
    """Whether every write that the restore must have brought back is in the store, with the value that was written.

    For `postgres_pitr.restore`, which says up to which log position it replayed.

    Args:
        writer: name of the marker writer, where the target has several.
        into: where restores are made.
        data_directory: the restored one; by default the newest that this run completed in `into`.
        dsn: how users connect.
        configuration: Chaos Toolkit's.
        secrets: Chaos Toolkit's; `dsn` in it.

    Raises:
        ActivityFailed: a row is missing, has another value or was never written; or it cannot be said.
    """
    end = _restored_end(data_directory, into, configuration)
    with store(need_dsn(dsn, secrets, configuration)) as connection:
        present = connection.execute("select to_regclass(%s)", (_TABLE,)).fetchone()
        if present is None or present[0] is None:
            raise RecoveryError(f"there is no table {_TABLE}: an empty or another database was restored")
        run = marker.this_run() or ""
        query = f"select id, coalesce((to_jsonb(m) ->> 'value')::bigint, id) from {_TABLE} m where run = %s"  # noqa: S608
        rows: list[tuple[int, int]] = connection.execute(query.encode(), (run,)).fetchall()
    # Read after the store: a row of the writer, which goes on, is in the ledger before it is in the store.
    ledger = _ledger(writer)
    found = dict(rows)
    required = _required(ledger, end)
    changed = set(ledger["key"][ledger["op"] != LedgerOp.INSERT].tolist()) if "op" in ledger.columns else set[int]()
    sent = set(ledger["id"].tolist())
    missing = [identifier for identifier in required.tolist() if identifier not in found and identifier not in changed]
    other = [identifier for identifier, value in rows if value != identifier and identifier not in changed]
    foreign = [identifier for identifier, _ in rows if identifier not in sent]
    for what, some in (("missing", missing), ("of another value", other), ("of no write", foreign)):
        if some:
            shown = ", ".join(str(one) for one in sorted(some)[:_SHOWN])
            raise RecoveryError(
                f"{len(some)} of the marker rows are {what}: {shown}{'...' if len(some) > _SHOWN else ''}"
            )
    logger.info("%d marker rows must be there, and are; %d in all", len(required), len(rows))
    return True


def _restored_end(data_directory: str | None, into: str | None, configuration: Configuration) -> int:
    place = Path() if data_directory else path_setting(into, configuration, "clusters", "clusters")
    directory, _ = marker.restored(data_directory, place)
    mark = marker.read(directory)
    report: dict[str, Any] = (mark.report if mark else None) or {}
    end = report.get("restored_end_lsn")
    if not isinstance(end, int):
        raise RecoveryError(f"the restore in {directory} does not say up to which position it reaches")
    return end


def _ledger(writer: str) -> Table:
    folder = os.environ.get("DRILLMARK_RUN_DIR")
    if not folder:
        raise RecoveryError("no run: there is no ledger to compare with", hint="this check needs a drill with markers")
    name = f"ledger-{writer}" if writer else "ledger"
    try:
        table = samples.read(Path(folder) / "samples" / f"{name}.dms")
    except (OSError, SampleFileError) as error:
        raise RecoveryError(f"the ledger {name} cannot be read: {error}", hint="has the target `markers`?") from error
    if not len(table):
        raise RecoveryError(f"the ledger {name} is empty: there is nothing to compare with")
    return table


def _required(ledger: Table, end: int) -> NDArray[np.int64]:
    """Ids of acknowledged inserts that surely stand before `end`. Raises RecoveryError: none can be told."""
    kind, at, lsn = ledger["kind"], ledger["at_ns"], ledger["lsn"]
    inserts = ledger["op"] == LedgerOp.INSERT if "op" in ledger.columns else np.ones(len(ledger), dtype=np.bool_)
    acknowledged = kind == LedgerKind.ACKNOWLEDGED
    reached = set(ledger["id"][acknowledged & (lsn > 0) & (lsn <= end)].tolist())
    sent = kind == LedgerKind.INVOKED
    times = [moment for identifier, moment in zip(ledger["id"][sent].tolist(), at[sent].tolist(), strict=True)
             if identifier in reached]  # fmt: skip
    if not times:
        raise RecoveryError("no acknowledged write stands before the restored position: nothing can be compared")
    # Its position was read before its own commit: it may be lost itself, but nothing acknowledged before it was sent.
    return ledger["id"][acknowledged & inserts & (at < max(times))]
