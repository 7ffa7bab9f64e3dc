"""Children that are forked: what they have, what they have not, how their end is seen."""

from __future__ import annotations

import subprocess
import sys

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
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines() == [
        "True True False word",
        "7 7 7",
        "lives None",
        "-9",
        "1",
        "5",
        "False",
    ], done.stderr
