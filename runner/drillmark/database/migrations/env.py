"""What Alembic runs around the migrations. The connection is `migrating`'s, with its lock; no file configures it."""

from __future__ import annotations

from alembic import context

from drillmark.database.versions import SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
