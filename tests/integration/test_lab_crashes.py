"""The lab comes back after every crash of its server, its service and its supervisor, with every acknowledged order."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from drillmark import lab as labs
from drillmark import postgres, processes
from lab_helpers import SMALL_BYTES, call, healthy, main_of, order, request
from waiting import until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def sturdy(tmp_path_factory):
    """A lab that tests hit hard, one after the other; each leaves it well, and looks first that it is."""
    place = tmp_path_factory.mktemp("sturdy") / "lab"
    yield labs.up(place, scale_bytes=SMALL_BYTES)
    labs.down(place)


@pytest.fixture
def made(sturdy):
    place = Path(sturdy.directory)
    until(lambda: healthy(sturdy), seconds=60)
    return until(lambda: (found := labs.status(place)).state == "up" and found, seconds=60)


def test_a_killed_server_comes_back_with_every_acknowledged_order(made):
    number = order(made)
    head = postgres.postmaster(main_of(made).path)
    os.kill(head.pid, signal.SIGKILL)
    until(lambda: not processes.is_alive(head), seconds=60)
    until(lambda: postgres.postmaster_state(main_of(made).path) == "ready", seconds=60)
    assert postgres.postmaster(main_of(made).path) != head
    # The very first request after it is answered: connections that died with the server are not tried.
    assert request(made, "GET", f"/orders/{number}")[0] == 200
    until(lambda: labs.status(Path(made.directory)).state == "up", seconds=60)


def test_a_dead_database_is_said_quickly_and_not_hidden(made):
    order(made)
    call(made, "POST", "/hold", cluster="main")
    assert postgres.stop(main_of(made).path, "kill")
    for method, path, body in (
        ("GET", "/health", None),
        ("GET", "/orders/latest", None),
        ("POST", "/orders", {"customer": "a", "item": "b"}),
    ):
        began = time.monotonic()
        assert request(made, method, path, body)[0] == 503
        # It says so within about a second; a pool left to itself would keep each request for half a minute.
        assert time.monotonic() - began < 15
    until(lambda: labs.status(Path(made.directory)).state == "degraded", seconds=60)
    call(made, "POST", "/release", cluster="main")


def test_a_server_that_stands_still_is_said_while_it_stands(made):
    order(made)
    stopped = postgres.server_processes(main_of(made).path)
    try:
        for process in stopped:
            os.kill(process.pid, signal.SIGSTOP)
        # Nothing lets the server go on before the answer: what waited for it without a limit would never say it.
        assert request(made, "GET", "/health", timeout_seconds=60)[0] == 503
    finally:
        for process in stopped:
            os.kill(process.pid, signal.SIGCONT)
    until(lambda: healthy(made), seconds=60)


def test_a_held_cluster_stays_down_until_it_is_released(made):
    number = order(made)
    place = main_of(made).path
    for _ in range(2):
        assert call(made, "POST", "/hold", cluster="main")["clusters"]["main"]["held"]
    # The loss of a host: the directory goes first, and the servers that follow it after.
    aside = made.layout.aside / "main"
    place.rename(aside)
    assert len(postgres.server_processes(place)) > 3, "a moved directory hides its servers"
    assert postgres.stop(aside, "kill")
    time.sleep(1.5)
    assert postgres.server_processes(place) == []
    assert labs.up(Path(made.directory)).state == "degraded"
    assert call(made, "GET", "/status")["clusters"]["main"]["state"] == "missing"
    aside.rename(place)
    time.sleep(0.5)
    assert postgres.server_processes(place) == []
    call(made, "POST", "/release", cluster="main")
    until(lambda: healthy(made), seconds=60)
    assert request(made, "GET", f"/orders/{number}")[0] == 200


def test_a_killed_service_comes_back_on_its_port(made):
    head = made.service.process
    os.kill(head.pid, signal.SIGKILL)
    until(lambda: not processes.is_alive(head), seconds=60)
    until(lambda: healthy(made), seconds=60)


def test_a_killed_supervisor_is_noticed_and_replaced(made):
    os.kill(made.supervisor.pid, signal.SIGKILL)
    until(lambda: not processes.is_alive(made.supervisor), seconds=60)
    until(lambda: labs.status(Path(made.directory)).state == "unsupervised", seconds=60)
    head = postgres.postmaster(main_of(made).path)
    assert healthy(made), "what it supervised went with it"
    again = labs.up(Path(made.directory))
    assert again.supervisor != made.supervisor
    assert main_of(again).process == head, "a server that lives is adopted, not restarted"
    os.kill(head.pid, signal.SIGKILL)
    until(lambda: postgres.postmaster(main_of(made).path) not in {None, head}, seconds=60)
    until(lambda: healthy(made), seconds=60)


def test_a_supervisor_that_is_told_to_end_stops_everything_and_up_goes_on(made):
    number = order(made)
    os.kill(made.supervisor.pid, signal.SIGTERM)
    until(lambda: not processes.is_alive(made.supervisor), seconds=60)
    assert postgres.server_processes(main_of(made).path) == []
    assert labs.status(Path(made.directory)).state == "stopped"
    assert postgres.control_data(main_of(made).path)["Database cluster state"] == "shut down"
    assert healthy(labs.up(Path(made.directory)))
    assert request(made, "GET", f"/orders/{number}")[0] == 200
