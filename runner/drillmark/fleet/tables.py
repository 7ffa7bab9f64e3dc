"""The fleet's tables. Names and types only; every change of them is a migration of the PostgreSQL schema too.

Times are seconds since 1970 by the database's clock, which alone all workers share. What is a list or an object is
JSON text.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

SCHEMA = "drillmark"

metadata = MetaData()

# One row for each process `drillmark worker`, ever: an id is never used again.
workers = Table(
    "fleet_workers",
    metadata,
    Column("worker", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("boot", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_start", String, nullable=False),
    Column("version", String, nullable=False),
    Column("labels", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("lease_seconds", Float, nullable=False),
    Column("state", String, nullable=False),  # working, draining, gone, lost
    Column("started_at", Float, nullable=False),
    Column("beat_at", Float, nullable=False),
    Index("fleet_workers_state", "state"),
)

# One row for each `drill@time`, for ever: it is due once, and ends once.
occurrences = Table(
    "fleet_occurrences",
    metadata,
    Column("occurrence", String, primary_key=True),
    Column("drill", String, nullable=False),
    Column("source", String, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("start_at", Float, nullable=False),
    Column("until_at", Float),  # after that it does not begin any more
    Column("priority", Integer, nullable=False),
    Column("environment", String, nullable=False),
    Column("labels", Text, nullable=False),
    Column("attempts", Integer, nullable=False),  # how often it may be tried
    Column("retry_after_seconds", Float, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String, nullable=False),  # waiting, queued, running, ended
    Column("turn", Integer, nullable=False),  # how often it was queued: `drill@time#turn` in DBOS
    Column("epoch", Integer, nullable=False),  # raised whenever somebody takes it in hand
    Column("worker", String),
    Column("run", String),
    Column("taking_over", Boolean, nullable=False),
    Column("says", Text, nullable=False),  # why it waits, in a sentence
    Column("unheard", Boolean, nullable=False),  # it was told already that nobody can take it
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("verdict", String),
    Column("reason", Text),
    Index("fleet_occurrences_next", "state", "priority", "start_at"),
    Index("fleet_occurrences_drill", "drill", "due_at"),
    Index("fleet_occurrences_worker", "worker", "state"),
)

# The targets of an occurrence's plan: the one that is faulted, and all that it touches.
wants = Table(
    "fleet_wants",
    metadata,
    Column("occurrence", String, ForeignKey(occurrences.c.occurrence), primary_key=True),
    Column("target", String, primary_key=True),
)

# Who has a target: the primary key is the lock.
locks = Table(
    "fleet_locks",
    metadata,
    Column("target", String, primary_key=True),
    Column("holder", String, nullable=False),  # an occurrence, or the run of a person
    Column("worker", String, nullable=False),
    Column("since_at", Float, nullable=False),
    Index("fleet_locks_holder", "holder"),
)

# Up to when a drill's occurrences are known, for its schedule as it was then.
drills = Table(
    "fleet_drills",
    metadata,
    Column("drill", String, primary_key=True),
    Column("schedule", String, nullable=False),
    Column("looked_until", Float, nullable=False),
)

# What became of occurrences, in the order in which it was written. Never changed.
happenings = Table(
    "fleet_happenings",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("occurrence", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("what", String, nullable=False),  # started, taken_over, handed_over, retried, ended, missed, unheard
    Column("worker", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("says", Text, nullable=False),
    Index("fleet_happenings_occurrence", "occurrence"),
)
