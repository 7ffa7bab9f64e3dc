"""Children that are forked: what they have, what they have not, how their end is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys, subprocess, threading, time
from drillmark import forked

def tell():
    files = sorted(os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name != "3")
    print(os.getsid(0) == os.getpid(), sys.path[0] == os.getcwd(), "/kept" in str(files), sys.stdin.read(), flush=True)
    return 7

kept = open(sys.argv[1], "w")
inward, outward = os.pipe()
os.write(outward, b"word")
os.close(outward)
assert forked.possible()
child = forked.Forked(tell, name="a-child", stdin=inward, output=1)
print(child.wait(60), child.poll(), child.returncode, flush=True)

child = forked.Forked(lambda: time.sleep(600) or 0, name="sleeper", stdin=inward, output=1)
while open(f"/proc/{child.pid}/comm").read().strip() != "sleeper":
    time.sleep(0.01)
try:
    child.wait(0.05)
except subprocess.TimeoutExpired:
    print("lives", child.poll(), flush=True)
child.kill()
print(child.wait(60), flush=True)
child.kill()

print(forked.Forked(lambda: 1 / 0, name="x", stdin=inward, output=os.open(os.devnull, os.O_WRONLY)).wait(60))
print(forked.Forked(lambda: sys.exit(5), name="x", stdin=inward, output=1).wait(60))
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print(forked.possible())
"""


def test_a_child_has_what_it_is_given_and_nothing_else(tmp_path):
    done = run(SCRIPT, tmp_path / "kept")
    assert done.stdout.splitlines() == [
        "True True False word",
        "7 7 7",
        "lives None",
        "-9",
        "1",
        "5",
        "False",
    ], done.stderr


# With SIGCHLD ignored nothing is kept of an end, as some supervisors have it; it outlives `exec`.
ODD = """
import os, resource, signal, subprocess, sys, time
from drillmark import forked

inward, outward = os.pipe()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
child = forked.Forked(lambda: 0, name="x", stdin=inward, output=1)
while os.path.exists(f"/proc/{child.pid}"):
    time.sleep(0.01)
child.kill()
print(child.wait(60), child.returncode, flush=True)
child = forked.Forked(lambda: time.sleep(600) or 0, name="x", stdin=inward, output=1)
child.kill()
print(child.wait(60), flush=True)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)

# More files than `select` knows; and a clock that goes past the deadline between two looks at it.
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
many = [os.dup(inward) for _ in range(1100)]
child = forked.Forked(lambda: time.sleep(600) or 0, name="x", stdin=inward, output=1)
real, looks = time.monotonic, iter(range(100))
time.monotonic = lambda: 0.6 * next(looks)
try:
    child.wait(1.0)
except subprocess.TimeoutExpired:
    print("lives", flush=True)
time.monotonic = real
child.kill()
print(child.wait(60), flush=True)

# Where standard input and output were closed, the log may have the number of one of them.
os.close(0)
log, null = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), os.open(os.devnull, os.O_RDWR)
output, sys.stdout = sys.stdout, None
code = forked.Forked(lambda: 1 / 0, name="x", stdin=null, output=log).wait(60)
print(log, code, open(sys.argv[1]).read().splitlines()[-1], file=output)
"""


def test_odd_surroundings_are_no_reason_to_lose_a_child_or_its_words(tmp_path):
    done = run(ODD, tmp_path / "log")
    assert done.stdout.splitlines() == [
        "0 0",
        "0",
        "lives",
        "-9",
        "0 1 ZeroDivisionError: division by zero",
    ], done.stderr


def run(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
