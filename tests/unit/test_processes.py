"""A process is ended only if it is the one that was meant; orphans of its group go with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from drillmark import processes
from drillmark.processes import ProcessIdentity


def spawn(code: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def wait_gone(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while processes.identify(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    return processes.identify(pid) is None


def test_one_that_is_somebody_elses_is_left_alone():
    process = spawn("print(flush=True); import time; time.sleep(600)")
    found = processes.identify(process.pid)
    assert found is not None
    stranger = ProcessIdentity(process.pid, str(int(found.start) - 1))
    assert not processes.is_alive(stranger)
    assert processes.end(stranger, group=True, grace_seconds=0)
    assert processes.is_alive(found)
    assert processes.end(found, group=True, grace_seconds=0)
    process.wait()
    process.stdout.close()


def test_term_first_then_kill_also_for_a_stopped_one():
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    process = spawn(code)
    found = processes.identify(process.pid)
    os.kill(process.pid, signal.SIGSTOP)
    assert processes.end(found, group=True, grace_seconds=0.3)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def test_a_zombie_counts_as_dead():
    process = spawn("print(flush=True)")
    deadline = time.monotonic() + 60
    while processes.identify(process.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.wait()
    process.stdout.close()


def test_what_a_dead_leader_left_in_its_group_is_ended():
    code = (
        "import os, sys, time\n"
        "child = os.fork()\n"
        "if child: print(child, flush=True); time.sleep(600)\n"
        "else: time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    leader = processes.identify(process.pid)
    process.kill()
    process.wait()
    assert processes.identify(child) is not None
    assert processes.end(leader, group=True, grace_seconds=0)
    assert wait_gone(child)
    process.stdout.close()
