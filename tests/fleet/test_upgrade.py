"""A rolling upgrade: workers of this version and of the next one side by side, in both orders, and no run is stranded.

The next version has another number, other code, and needs a migration that adds to every table. Workers that are killed
or drained leave what they were given to those of the other version.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import other_version
import proof
import pytest
from machines import Fleet, Machine

import waiting
from drillmark import __version__
from drillmark.database.versions import HEAD
from drillmark.fleet.agenda import Agenda
from drillmark.fleet.database import Database
from exhaustive import sample

PATIENCE_SECONDS = 180.0
NEXT_VERSION, NEXT_REVISION = "999.0.0", f"{int(HEAD) + 1:04d}"
DRILLS, TIMES = 6, 5
AT_WORK = "state in ('working', 'draining')"


class Upgrade:
    """The fleet of the proof, its drills released a few at a time, and its workers' versions."""

    def __init__(self, made: Fleet) -> None:
        self.made = made
        self.released = 0
        for machine in made.machines:
            machine.name = "upgrade"  # one machine, on which a process that is gone is known to be dead
        database = Database(made.machines[0].root, made.server.url(made.name))
        Agenda(made.machines[0].root, database, print).look()
        database.close()
        made.execute("update drillmark.fleet_occurrences set start_at = start_at + 864000")

    def release(self, count: int) -> None:
        self.made.execute(
            "update drillmark.fleet_occurrences set start_at = start_at - 864000 where occurrence in"
            " (select occurrence from drillmark.fleet_occurrences where state = 'waiting'"
            f" and start_at > extract(epoch from now()) order by occurrence limit {count})"
        )
        self.released += count

    def wait(self, what: str, is_so: Callable[[], bool]) -> None:
        def said() -> str:
            return "\n".join([what, *(one.log.read_text()[-2000:] for one in self.made.machines if one.log.exists())])

        waiting.until(is_so, said, seconds=PATIENCE_SECONDS)

    def all_end(self) -> None:
        ended = "select count(*) from drillmark.fleet_occurrences where state = 'ended'"
        self.wait(f"{self.released} have ended", lambda: self.made.count(ended) >= self.released)

    def joined(self, version: str) -> None:
        here = f"select count(*) from drillmark.fleet_workers where {AT_WORK} and version = '{version}'"
        self.wait(f"a worker of {version} is there", lambda: self.made.count(here) == 1)

    def given(self, version: str) -> None:
        """Wait until one of that version has been given what it has not begun."""
        query = (
            "select count(*) from drillmark.fleet_occurrences o join drillmark.fleet_workers w using (worker)"
            f" where o.state = 'queued' and w.version = '{version}' and w.{AT_WORK}"
        )
        self.wait(f"a worker of {version} was given something", lambda: self.made.count(query) > 0)

    def migrate(self) -> None:
        """As the next version's `drillmark db migrate` would: it adds."""
        tables = self.made.execute("select table_name from information_schema.tables where table_schema = 'drillmark'")
        for (table,) in tables:
            if table not in ("version", "alembic_version"):
                self.made.execute(f"alter table drillmark.{table} add column of_the_next_version text")
        self.made.execute(f"update drillmark.alembic_version set version_num = '{NEXT_REVISION}'")


def end(machine: Machine, number: int) -> int:
    assert machine.process is not None
    machine.signal(number)
    return machine.process.wait(PATIENCE_SECONDS)


def leave(upgrade: Upgrade, machine: Machine, version: str, how: str) -> None:
    """It goes, with what the other one gave it; or while it takes its part, by the rules."""
    if how == "killed":
        machine.signal(signal.SIGSTOP)
        upgrade.release(18)
        upgrade.given(version)
        end(machine, signal.SIGKILL)
    else:
        upgrade.release(18)
        assert end(machine, signal.SIGTERM) == 0


CASES = [(who, how) for who in ("old", "new") for how in ("killed", "drained")]


@pytest.mark.parametrize(("who", "how"), sample(CASES, 1))
def test_old_and_new_work_side_by_side_and_leave_nothing_stranded(tmp_path, who, how):
    tmp_path.chmod(0o755)
    with proof.fleet(tmp_path / "fleet", DRILLS, TIMES) as made:
        old, new, _ = made.machines
        new.program = (other_version.__file__, NEXT_VERSION, NEXT_REVISION)
        upgrade = Upgrade(made)
        old.start()
        new.start()
        upgrade.joined(__version__)
        upgrade.release(6)
        upgrade.wait("it waits for the migration", lambda: "is older than this drillmark" in new.log.read_text())
        upgrade.all_end()
        upgrade.migrate()
        upgrade.joined(NEXT_VERSION)
        upgrade.release(6)
        upgrade.all_end()
        leaves, stays = ((old, __version__), (new, NEXT_VERSION))[:: 1 if who == "old" else -1]
        leave(upgrade, *leaves, how)
        upgrade.all_end()
        assert end(stays[0], signal.SIGTERM) == 0

        assert upgrade.released == DRILLS * TIMES
        wrong, figures = proof.judge(made, DRILLS * TIMES)
        assert not wrong, (wrong, figures)
        began = made.execute(
            "select distinct version from drillmark.fleet_workers join drillmark.fleet_happenings using (worker)"
            " where what = 'started'"
        )
        assert sorted(began) == sorted([(__version__,), (NEXT_VERSION,)])
        # What one queued the other may take: DBOS hands nothing to workers of what it holds for another version.
        assert made.execute("select distinct application_version from dbos.workflow_status") == [("1",)]

        made.execute("update drillmark.version set format = 2")
        refused = subprocess.run(
            [sys.executable, "-m", "drillmark", "worker"],
            cwd=old.root, env=old.environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    assert refused.returncode == 5, refused.stdout + refused.stderr
    assert "was migrated by a newer drillmark (format 2, this one knows 1)" in refused.stderr
    assert "install that version here; nothing was read or written" in refused.stderr
