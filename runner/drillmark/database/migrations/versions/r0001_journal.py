"""The journal, copies of undo files, and the gap register."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision: str | None = None

# Texts compare by their bytes, so that ids sort as they do in SQLite. JSON is kept as the text that was hashed.
_STATEMENTS = (
    "create table drillmark.version (format integer not null)",
    "insert into drillmark.version values (1)",
    """create table drillmark.runs (
        run text collate "C" primary key, drill text collate "C" not null, target text collate "C" not null,
        directory text not null, epoch bigint not null, started_wall_ns bigint not null)""",
    "create index runs_by_start on drillmark.runs (started_wall_ns, run)",
    """create table drillmark.entries (
        run text collate "C" not null references drillmark.runs (run), sequence bigint not null,
        epoch bigint not null, kind text not null, stamp text not null, data text not null,
        previous_hash text not null, hash text not null, primary key (run, sequence))""",
    """create table drillmark.undo (
        run text collate "C" primary key references drillmark.runs (run) on delete cascade, epoch bigint not null,
        body text not null, written_at timestamptz not null default clock_timestamp())""",
    """create table drillmark.gaps (
        fingerprint text collate "C" primary key, id text collate "C" not null, drill text collate "C" not null,
        target text collate "C" not null, state text collate "C" not null, body text not null)""",
    "create index gaps_by_target on drillmark.gaps (target, drill)",
    "create index gaps_open on drillmark.gaps (id) where state = 'open'",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """There is none: going back is restoring the backup made before (docs/how-to/upgrade.md)."""
    raise NotImplementedError("restore the backup that was made before the upgrade")
