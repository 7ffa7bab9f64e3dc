"""The proof's fault as Chaos Toolkit actions: a row in a table, for the whole engine."""

from __future__ import annotations

import os

import psycopg


def _execute(statement: str, *values: object) -> list[tuple]:
    with psycopg.connect(os.environ["PROOF_TARGETS"], connect_timeout=5) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def break_it(target: str, run: str) -> None:
    """Break it; and remember who broke it, and whether it was broken already."""
    with psycopg.connect(os.environ["PROOF_TARGETS"], connect_timeout=5) as connection:
        held = connection.execute("select run from proof.faults where target = %s", (target,)).fetchone()
        if held is not None:
            connection.execute(
                "insert into proof.collisions (run, target, held_by) values (%s, %s, %s)", (run, target, held[0])
            )
            return
        connection.execute("insert into proof.faults values (%s, %s)", (target, run))
        connection.execute(
            "insert into proof.begun (occurrence, attempt, run, target)"
            " select occurrence, attempt, %s, %s from drillmark.fleet_occurrences where run = %s",
            (run, target, run),
        )


def mend(run: str) -> None:
    """Mend what this run broke."""
    _execute("delete from proof.faults where run = %s", run)


def is_broken(target: str) -> bool:
    return bool(_execute("select 1 from proof.faults where target = %s", target))
