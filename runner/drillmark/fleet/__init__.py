"""Workers that run what the calendar says: on one machine with SQLite, on many with PostgreSQL.

Our tables decide who works on what (labels, locks, limits, lives); DBOS is the clock of which the whole fleet has one,
and the durable queue that brings a drill to its worker once; the journal says what happened. Imports DBOS lazily.
"""
