"""Heartbeats of a real worker, measured in a process of their own: its thread's CPU, and that of PostgreSQL's server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CHILD = """
import json, resource, sys, time
from pathlib import Path
import sqlalchemy as sa
from drillmark.fleet import agenda, queue, tables, wishes, worker
from drillmark.fleet.database import Database
sys.path.insert(0, sys.argv[4])
from heartbeats import server_cpu_seconds

root, beats, postmaster = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
database = Database(root)
database.prepare()
said = []
one = worker.Worker(root, database, worker.Terms(labels={}), None, said.append, worker="bench")
one._agenda = agenda.Agenda(root, database, said.append, wishes.Wishes(root))
one._queue = queue.FleetQueue(database, "bench", 2, lambda: None, lambda *_: "", every_seconds=59)
one._queue.launch()

def beat():
    begin = time.thread_time()
    one._heartbeat()
    return time.thread_time() - begin

first = beat()
server = server_cpu_seconds(postmaster)
each = [beat() for _ in range(beats)]
server = (server_cpu_seconds(postmaster) - server) / beats
peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
# As if nobody had been there for a day: what is due in the night is made up for, or missed.
with database.transaction() as connection:
    connection.execute(sa.update(tables.drills).values(looked_until=tables.drills.c.looked_until - 86400.0))
    known = connection.execute(sa.select(sa.func.count()).select_from(tables.occurrences)).scalar_one()
one._agenda = agenda.Agenda(root, database, said.append, wishes.Wishes(root))
due = beat()
with database.transaction() as connection:
    rows = connection.execute(sa.select(sa.func.count()).select_from(tables.occurrences)).scalar_one() - known
wrong = [text for text in said if "no worker" not in text and "nobody started it in time" not in text]
assert not wrong, wrong[:3]
one._queue.close()
found = {"first": first, "beat": min(each), "server": server, "due": due, "rows": rows, "peak_bytes": peak_bytes}
print(json.dumps(found))
"""


def measured(root: Path, beats: int, *, postmaster: int = 0, **environment: str) -> dict[str, float]:
    """Seconds of CPU: the first one, the least of `beats` that follow, what the server took for one, one after a day."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(root), str(beats), str(postmaster), str(Path(__file__).parent)],
        capture_output=True, text=True, timeout=600, check=False, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def server_cpu_seconds(postmaster: int) -> float:
    """What a PostgreSQL server has taken so far, with all its processes, also those that are gone; 0 of none."""
    if not postmaster:
        return 0.0
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return cpu_seconds(postmaster) + sum(cpu_seconds(int(pid)) for pid in children)


def cpu_seconds(pid: int) -> float:
    """What a process has taken so far, with its children that are gone; 0 of one that is gone itself."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
