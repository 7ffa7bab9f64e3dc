"""The locks of a run that a person starts, where its database is shared with other machines. Wires; decides nothing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillmark.fleet.by_hand import ByHand


@contextmanager
def locked(root: Path, *, undoes: bool = False) -> Generator[ByHand | None]:
    """What takes targets everywhere for as long as the block lasts; None where nobody else can be there.

    `undoes`: what is missing here must not keep a fault from being undone. Else raises UsageError.
    """
    from drillmark.database import address

    if not address.configured():
        yield None
        return
    from drillmark import workspace
    from drillmark.define.settings import FleetSettings
    from drillmark.errors import DrillmarkError, UsageError

    try:
        from drillmark.fleet.by_hand import ByHand
    except ModuleNotFoundError as error:
        if undoes:
            yield None
            return
        raise UsageError(
            f"{address.URL} is set, so others may be on the same targets; to lock them, {error.name} is missing",
            hint="pip install 'drillmark[fleet]'",
        ) from error
    try:
        lease_seconds = workspace.load_settings(root).fleet.lease
    except DrillmarkError:
        if not undoes:
            raise
        lease_seconds = FleetSettings().lease
    with ByHand(root, lease_seconds) as locks:
        yield locks
