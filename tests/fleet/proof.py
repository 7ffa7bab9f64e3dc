"""The proof: many occurrences, three workers, and everything that can go wrong with them, all the time.

    python tests/fleet/proof.py [--occurrences 10000] [--engine 300] [--every 60] [--seed N]

Every few moments a worker is killed, stopped, cut off from the database, loses its connections, or the database is
restarted. Afterwards: each occurrence has ended exactly once, none is lost, none was begun twice in one attempt, no
fault is left, and no target had two at once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import short_worker  # noqa: E402
from machines import Fleet, Machine  # noqa: E402
from trouble import Trouble  # noqa: E402

import file_drill  # noqa: E402
import own_database  # noqa: E402
from cable import Cable  # noqa: E402
from drillmark.fleet.agenda import Agenda  # noqa: E402
from drillmark.fleet.database import Database  # noqa: E402

MACHINES = ("alpha", "beta", "gamma")


def write_drills(root: Path, url: str, drills: int, minutes: int, engine: int, engine_minutes: int) -> None:
    """Drills whose times are all in the last hour, and never again for a year."""
    begin = datetime.now(tz=UTC) - timedelta(hours=1)
    targets: dict[str, object] = {}
    root.mkdir(parents=True)
    (root / "drillmark.yaml").write_text("guard: {lease: 15s}\n")
    for number in range(drills + engine):
        name = f"short-{number}" if number < drills else f"engine-{number - drills}"
        count = minutes if number < drills else engine_minutes
        crons = [begin + timedelta(minutes=each) for each in range(count)]
        assert crons[0].day == crons[-1].day or count < 60
        _write_drill(root, url, name, begin, count, targets)
    (root / "targets.yaml").write_text(yaml.safe_dump({"targets": targets}))


def _write_drill(root: Path, url: str, name: str, begin: datetime, count: int, targets: dict[str, object]) -> None:
    # One hour's minutes: cron's minute field alone tells them, on one day of one year.
    minutes = ",".join(str(each) for each in range(count))
    provider = {"type": "python", "module": "proof_actions", "arguments": {"target": name}}
    gone = {"name": "is-broken", "type": "probe", "tolerance": True, "provider": provider | {"func": "is_broken"}}
    targets[name] = {
        "environment": "test",
        "effect": "is-broken",
        "probes": ["answers"],
        "activities": [
            gone,
            {
                "name": "answers",
                "type": "probe",
                "tolerance": 200,
                "provider": {"type": "http", "url": url, "timeout": 10},
            },
        ],
    }
    drill = {
        "id": name, "title": f"A row in a table, {name}", "owner": "team", "target": name, "mode": "check",
        "fault": f"experiments/{name}.yaml",
        "objectives": {"slo": {"availability": "90%"}},
        "phases": {"baseline": "1500ms", "fault": "2s", "soak": "2s", "hold": "1s"},
        "schedule": {
            "cron": f"{minutes} {begin.hour} {begin.day} {begin.month} *",
            "missed": {"run_within": "30d"}, "retry": {"times": 5, "wait": "1s"},
        },
    }  # fmt: skip
    experiment = {
        "title": name, "description": name,
        "method": [{"name": "break", "type": "action", "provider": provider | {"func": "break_it", "arguments": {"target": name, "run": "${drillmark_run}"}}}],
        "rollbacks": [{"name": "mend", "type": "action", "provider": provider | {"func": "mend", "arguments": {"run": "${drillmark_run}"}}}],
    }  # fmt: skip
    for path, value in ((f"drills/{name}.yaml", drill), (f"experiments/{name}.yaml", experiment)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(yaml.safe_dump(value))


@contextmanager
def fleet(root: Path, drills: int, minutes: int, engine: int = 0, engine_minutes: int = 0) -> Iterator[Fleet]:
    root.mkdir(parents=True, exist_ok=True)
    with own_database.running(root / "server") as server, file_drill.serving(root / "served") as service:
        url = server.fresh()
        name = url.rpartition("/")[2]
        server.execute(short_worker.SCHEMA, name=name)
        machines: list[Machine] = []
        for machine in MACHINES:
            place = root / machine
            write_drills(place, service, drills, minutes, engine, engine_minutes)
            machines.append(Machine(machine, place, Cable(server.port), name, url, root / f"{machine}.log"))
        made = Fleet(server, name, root, machines)
        database = Database(machines[0].root, url)
        agenda = Agenda(machines[0].root, database, print)
        agenda.look()
        database.close()
        # As if the fleet had known these drills for a day, and nobody had been there in the last hours.
        made.execute("update drillmark.fleet_drills set looked_until = looked_until - 86400")
        made.execute("delete from drillmark.fleet_wants")
        made.execute("delete from drillmark.fleet_occurrences")
        try:
            yield made
        finally:
            for one in machines:
                if one.process is not None:
                    one.signal(signal.SIGCONT)
                    one.process.kill()
                    one.process.wait()
                one.cable.close()


def play(
    made: Fleet,
    expected: int,
    *,
    seed: int,
    trouble: bool = True,
    patience_seconds: float,
    every: int = 15,
    tell=lambda _text: None,
) -> float:
    """Until all have ended; returns how long it took."""
    began = time.monotonic()
    harm = Trouble(made, seed, every)
    for machine in made.machines:
        machine.start()
    ended = -1
    next_told = 0.0
    if trouble:
        # Once they are at work.
        while (
            made.count("select count(*) from drillmark.fleet_happenings where what = 'ended'") == 0
            and time.monotonic() - began < patience_seconds
        ):
            time.sleep(0.5)
        harm.thread.start()
    try:
        while time.monotonic() - began < patience_seconds:
            for machine in made.machines:
                machine.watch()
            ended = made.count("select count(*) from drillmark.fleet_occurrences where state = 'ended'")
            if time.monotonic() > next_told:
                next_told = time.monotonic() + 10
                tell(f"{time.monotonic() - began:6.0f} s: {ended} of {expected} ended, harm {made.harm}")
            if ended >= expected:
                break
            time.sleep(0.5)
    finally:
        harm.stop.set()
        if trouble:
            harm.thread.join(120)
    for machine in made.machines:
        machine.signal(signal.SIGCONT)
        machine.cable.mend()
        machine.signal(signal.SIGTERM)
    for machine in made.machines:
        if machine.process is not None:
            with suppress(subprocess.TimeoutExpired):
                machine.process.wait(60)
    return time.monotonic() - began


def judge(made: Fleet, expected: int) -> tuple[list[str], dict[str, object]]:
    """What is wrong, one sentence each; and the figures."""
    wrong: list[str] = []

    def must_be(what: str, statement: str, number: int) -> None:
        found = made.count(statement)
        if found != number:
            wrong.append(f"{what}: {found} instead of {number}")

    fleet_table, happenings = "drillmark.fleet_occurrences", "drillmark.fleet_happenings"
    must_be("occurrences", f"select count(*) from {fleet_table}", expected)
    must_be("ended", f"select count(*) from {fleet_table} where state = 'ended'", expected)
    must_be("ends", f"select count(*) from {happenings} where what in ('ended', 'missed')", expected)
    must_be(
        "ended twice",
        f"select count(*) from (select 1 from {happenings} where what in ('ended', 'missed') group by occurrence having count(*) > 1) x",
        0,
    )
    must_be(
        "begun twice in one attempt",
        "select count(*) from (select 1 from proof.begun group by occurrence, attempt having count(*) > 1) x",
        0,
    )
    must_be(
        "passed without its fault",
        f"select count(*) from {fleet_table} o where verdict = 'passed' and not exists (select 1 from proof.begun b where b.occurrence = o.occurrence)",
        0,
    )
    must_be("faults left", "select count(*) from proof.faults", 0)
    must_be("two on one target", "select count(*) from proof.collisions", 0)
    must_be("locks left", "select count(*) from drillmark.fleet_locks", 0)
    must_be(
        "journals with two ends",
        "select count(*) from (select 1 from drillmark.entries where kind = 'run_ended' group by run having count(*) > 1) x",
        0,
    )
    figures: dict[str, object] = {
        "verdicts": dict(made.execute(f"select verdict, count(*) from {fleet_table} group by 1 order by 1")),
        "happenings": dict(made.execute(f"select what, count(*) from {happenings} group by 1 order by 1")),
        "faults_begun": made.count("select count(*) from proof.begun"),
        "worker_processes": made.count("select count(*) from drillmark.fleet_workers"),
        "harm": made.harm,
        "engine": made.count(f"select count(*) from {fleet_table} where drill like 'engine-%%'"),
    }
    return wrong, figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--occurrences", type=int, default=10_000)
    parser.add_argument("--engine", type=int, default=300, help="how many of them by the whole engine")
    parser.add_argument("--minutes", type=float, default=180.0, help="give up after so long")
    parser.add_argument("--every", type=int, default=60, help="harm is done each time about so many more have ended")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--keep", action="store_true", help="keep the folder with the workers' output")
    options = parser.parse_args()
    short, each, engine_each = options.occurrences - options.engine, 50, 5
    drills, engine_drills = -(-short // each), -(-options.engine // engine_each)
    engine = engine_drills * engine_each
    expected = drills * each + engine
    print(f"seed {options.seed}: {expected} occurrences, {engine} of them by the whole engine", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="fleet-proof-"))
    folder.chmod(0o755)
    with fleet(folder, drills, each, engine_drills, engine_each) as made:
        took = play(
            made,
            expected,
            seed=options.seed,
            patience_seconds=options.minutes * 60,
            every=options.every,
            tell=lambda text: print(text, flush=True),
        )
        wrong, figures = judge(made, expected)
    print(json.dumps(figures | {"seconds": round(took, 1), "seed": options.seed}, indent=1, default=str))
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print(f"the workers' output is in {folder}" if wrong or options.keep else "all as it must be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
