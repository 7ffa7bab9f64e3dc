"""Faults that hold connections or a lock: held by nobody who may die, undone from anywhere, at any point."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from chaoslib.exceptions import ActivityFailed

from drillmark import processes, site
from drillmark.errors import RecoveryError
from drillmark.faults import connections_exhausted, holding, lock_pile_up, postgres_crash
from drillmark.faults.deeds import Deed, place
from drillmark.processes import ProcessIdentity
from exhaustive import sample
from lab_helpers import healthy, order, processes_of, request
from waiting import until

pytestmark = pytest.mark.lab

HOLDS = {
    "connections": (connections_exhausted, {"connections": "all", "evict": "order-service"}),
    "lock": (lock_pile_up, {"lock": "orders"}),
}
each_hold = pytest.mark.parametrize("hold", list(HOLDS))
one_hold = pytest.mark.parametrize("hold", sample(list(HOLDS), 1))
REACHED = ["written down", "begun", "stopped", "killed", "undo begun"]


def begin(module: ModuleType, secrets: dict[str, str]) -> Any:
    if module is lock_pile_up:
        return lock_pile_up.lock_table("orders", secrets=secrets)
    return connections_exhausted.exhaust(evict="order-service", secrets=secrets)


def undo(module: ModuleType, secrets: dict[str, str]) -> str:
    function = lock_pile_up.unlock if module is lock_pile_up else connections_exhausted.release
    return function(secrets=secrets)


def is_held(module: ModuleType, secrets: dict[str, str]) -> bool:
    function = lock_pile_up.is_locked if module is lock_pile_up else connections_exhausted.is_exhausted
    return function(secrets=secrets)


def sessions(secrets: dict[str, str]) -> list[Any]:
    """Every session of a helper, of whatever run."""
    with psycopg.connect(secrets["admin_dsn"]) as connection:
        return connection.execute("select pid from pg_stat_activity where application_name ~ '^drillmark '").fetchall()


def helper_of(module: ModuleType) -> ProcessIdentity:
    deed = Deed.read(module.FAULT, place(None))
    assert deed is not None
    told = until(lambda: holding.read(deed), seconds=60)
    return ProcessIdentity(told["pid"], told["start"])


def nothing_is_left(up: Any, module: ModuleType, secrets: dict[str, str]) -> None:
    assert is_held(module, secrets) is False
    deed = Deed.read(module.FAULT, place(None))
    assert deed is not None
    assert deed.undone
    until(lambda: not processes_of(deed.path), seconds=60)
    assert sessions(secrets) == []
    until(lambda: healthy(up), seconds=60)
    assert order(up)


def test_no_connection_is_left_until_the_undo(up: Any, secrets: dict[str, str]):
    held = connections_exhausted.exhaust(evict="order-service", secrets=secrets)["held"]

    assert held > 60, "the lab allows 80"
    assert connections_exhausted.is_exhausted(secrets=secrets) is True
    with pytest.raises(psycopg.OperationalError, match="remaining connection slots are reserved"):
        psycopg.connect(secrets["dsn"])
    until(lambda: request(up, "GET", "/orders/latest")[0] == 503, seconds=60)
    with pytest.raises(AssertionError, match="not within"):
        until(lambda: not connections_exhausted.is_exhausted(secrets=secrets), seconds=2)
    with pytest.raises(ActivityFailed, match="in effect already"):
        connections_exhausted.exhaust(secrets=secrets)

    assert connections_exhausted.release(secrets=secrets) == "all of it was let go"
    assert connections_exhausted.release(secrets=secrets) == "all of it was let go"
    nothing_is_left(up, connections_exhausted, secrets)


def test_without_eviction_what_is_connected_goes_on(up: Any, secrets: dict[str, str]):
    with psycopg.connect(secrets["dsn"], autocommit=True) as connection:
        connections_exhausted.exhaust(secrets=secrets)
        assert connection.execute("select count(*) > 0 from orders").fetchone() == (True,)
    # What becomes free is taken too.
    until(lambda: refused(secrets["dsn"]), seconds=60)
    assert connections_exhausted.is_exhausted(secrets=secrets) is True
    undo(connections_exhausted, secrets)
    nothing_is_left(up, connections_exhausted, secrets)


def refused(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return True
    return False


def test_a_forgotten_lock_stops_all_until_the_undo(up: Any, secrets: dict[str, str]):
    lock_pile_up.lock_table("orders", secrets=secrets)

    assert lock_pile_up.is_locked(secrets=secrets) is True
    with psycopg.connect(secrets["dsn"], options="-c lock_timeout=200") as connection:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("select count(*) from orders")
    assert request(up, "GET", "/orders/latest", timeout_seconds=20)[0] == 503
    assert lock_pile_up.is_locked(secrets=secrets) is True

    assert lock_pile_up.unlock(secrets=secrets) == "all of it was let go"
    assert lock_pile_up.unlock(secrets=secrets) == "all of it was let go"
    nothing_is_left(up, lock_pile_up, secrets)


@pytest.mark.parametrize(
    ("hold", "reached"),
    sample([(hold, reached) for reached in REACHED for hold in HOLDS], 4),
)
def test_the_undo_of_a_hold_that_was_cut_short(up: Any, secrets: dict[str, str], hold: str, reached: str):
    module, what = HOLDS[hold]
    if reached == "written down":
        Deed.begin(module.FAULT, place(None), hold=what, application="drillmark nobody")
    elif reached == "begun":
        # The injecting process is gone while the helper is just starting: it may come to life after the undo.
        with pytest.raises(RecoveryError, match="did not take hold"):
            holding.begin(module.FAULT, what, **secrets, seconds=0, configuration=None)
    else:
        begin(module, secrets)
    if reached == "stopped":
        os.kill(helper_of(module).pid, signal.SIGSTOP)
    if reached == "killed":
        # Its sessions end with it, and nobody takes them for an effect that lasts.
        processes.end(helper_of(module), group=True, grace_seconds=0)
        until(lambda: not is_held(module, secrets), seconds=60)
    if reached == "undo begun":
        deed = Deed.read(module.FAULT, place(None))
        assert deed is not None
        Deed(deed.path, deed.site, deed.facts | {holding.ENDING: True}).write()
        until(lambda: not processes.is_alive(helper_of(module)), seconds=60)

    assert undo(module, secrets) == "all of it was let go"
    nothing_is_left(up, module, secrets)


def test_the_undo_of_a_lock_that_is_still_waited_for(up: Any, secrets: dict[str, str]):
    """A backend that waits for a lock does not see that its client has died."""
    with psycopg.connect(secrets["dsn"]) as connection:
        connection.execute("lock table orders in access share mode")
        with pytest.raises(RecoveryError, match="did not take hold"):
            holding.begin(lock_pile_up.FAULT, {"lock": "orders"}, **secrets, seconds=0, configuration=None)
        until(lambda: sessions(secrets), seconds=60)
        assert lock_pile_up.is_locked(secrets=secrets) is False
        assert undo(lock_pile_up, secrets) == "all of it was let go"
    nothing_is_left(up, lock_pile_up, secrets)


@one_hold
def test_another_process_undoes_it(up: Any, secrets: dict[str, str], hold: str):
    """As the guard, or a resume: all it has is the environment."""
    module, _ = HOLDS[hold]
    begin(module, secrets)
    script = f"import sys; from {module.__name__} import *; import {module.__name__} as m\n"
    script += f"print((m.unlock if hasattr(m, 'unlock') else m.release)(secrets={secrets!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "all of it was let go", done.stderr
    nothing_is_left(up, module, secrets)


@one_hold
def test_it_is_held_again_when_the_server_was_away(up: Any, secrets: dict[str, str], hold: str):
    module, _ = HOLDS[hold]
    begin(module, secrets)
    host = site.find(None)
    postgres_crash.kill_server()
    host.wait_until_ready(60)
    until(lambda: sessions(secrets), seconds=60)
    if module is lock_pile_up:
        until(lambda: lock_pile_up.is_locked(secrets=secrets), seconds=60)
    assert undo(module, secrets) == "all of it was let go"
    postgres_crash.ensure_running()
    nothing_is_left(up, module, secrets)


@each_hold
def test_an_undo_without_a_fault_touches_nothing(up: Any, secrets: dict[str, str], hold: str):
    module, _ = HOLDS[hold]
    assert undo(module, secrets) == "nothing was held"
    assert is_held(module, secrets) is False


def test_what_cannot_be_held_says_why_and_is_undone(up: Any, secrets: dict[str, str]):
    with pytest.raises(ActivityFailed, match='relation "no_such_table" does not exist'):
        lock_pile_up.lock_table("no_such_table", secrets=secrets)
    assert undo(lock_pile_up, secrets) == "all of it was let go"
    nothing_is_left(up, lock_pile_up, secrets)


def test_no_connection_string_reaches_a_file_or_an_argument(up: Any, secrets: dict[str, str], tmp_path: Path):
    planted = {name: f"{value} passfile=/dev/null password=pla-nted" for name, value in secrets.items()}
    with pytest.raises(RecoveryError):
        holding.begin(lock_pile_up.FAULT, {"lock": "orders"}, **planted, seconds=60, configuration=None)
    deed = Deed.read(lock_pile_up.FAULT, place(None))
    assert deed is not None
    assert "pla-nted" not in "".join(processes_of(deed.path))
    for path in deed.path.parent.iterdir():
        assert "pla-nted" not in path.read_text(), path
    undo(lock_pile_up, secrets)
    nothing_is_left(up, lock_pile_up, secrets)
