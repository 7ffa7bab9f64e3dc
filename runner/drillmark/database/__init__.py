"""Drillmark's own database on PostgreSQL: how it is reached, which version it has, and how it is migrated.

What stands in it is said by those whose it is (`journal.postgres`, `gaps`, `fleet.tables`). psycopg, SQLAlchemy and
Alembic are imported where they are used and nowhere else: without DRILLMARK_DATABASE_URL nobody needs them.
"""
