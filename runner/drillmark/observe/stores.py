"""Which store of markers a child is told to use."""

from __future__ import annotations

from drillmark import samples
from drillmark.observe import child
from drillmark.observe.store import Store


def make(me: child.Child) -> Store:
    """The store that the config names. Raises ChildError."""
    kind = me.config.get("store", "postgres")
    changes = bool(me.config.get("changes")) and can_change(me)
    if kind == "postgres":
        from drillmark.observe.postgres_markers import PostgresStore  # noqa: PLC0415  # the extra is optional

        return PostgresStore(me.secret(str(me.config["secrets_name"]), "dsn"), me.run, changes=changes)
    if kind == "http":
        from drillmark.observe.http_markers import HttpStore  # noqa: PLC0415

        return HttpStore(me, changes=changes)
    raise child.ChildError(f"markers know no store {kind!r}; there are postgres and http")


def can_change(me: child.Child) -> bool:
    """Whether the ledger can hold changes: one from before rows could be changed is taken up as it is."""
    path = me.samples(str(me.config.get("ledger", "ledger")))
    return not path.exists() or not len(found := samples.read(path)) or "op" in found.columns
