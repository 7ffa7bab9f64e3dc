"""Restoring through Drillmark against the same commands in a shell script: side by side, turn by turn.

Both copy the backup, write the same settings, start the server and wait until it takes reads with its replay ended.
Verifying the backup is Drillmark's alone and is reported apart. What gates is the median of the ratios of turns
that followed each other, so that a machine with other work slows both; seconds are told.

DRILLMARK_RESTORE_MEGABYTES makes the database about so large (161 unless given). 10000 is what the aim of 1.02 speaks of;
it needs five times that on the disk, and some minutes to make.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from drillmark import postgres
from drillmark.recovery import postgres_pitr
from postgres_builders import Server, running_server

pytestmark = [pytest.mark.lab, pytest.mark.benchmark]

MEGABYTES = int(os.environ.get("DRILLMARK_RESTORE_MEGABYTES", "161"))
LARGE = MEGABYTES >= 1000
# What is not copying weighs less the longer the copy takes.
# The gate is for copies of seconds, in which the disk's own pauses are several per cent.
AIM, GATE = 1.02 if MEGABYTES >= 10_000 else 1.05, 1.2
ROUNDS = 3 if LARGE else 5
BATCHES = 2 if LARGE else 3  # a machine with other work needs more turns until its medians settle
ROWS = MEGABYTES * 150_000 // 161
SECONDS = 120 + MEGABYTES  # for one restore, or for making the backup: a megabyte a second is no speed at all

SCRIPT = """\
set -e
cp -a "$BACKUP" "$INTO"
cp "$SETTINGS" "$INTO/postgresql.auto.conf"
touch "$INTO/recovery.signal"
chmod 700 "$INTO"
"$@" -D "$INTO" -c port=$PORT </dev/null >"$INTO.log" 2>&1 &
until [ "$("$PSQL" -X -A -t -d "host=127.0.0.1 port=$PORT user=postgres dbname=postgres connect_timeout=2" \\
    -c 'select pg_is_in_recovery()' 2>/dev/null)" = f ]; do sleep 0.02; done
"""


@pytest.fixture
def source(tmp_path: Path):
    with running_server(tmp_path / "source", segment_megabytes=16 if LARGE else 1) as server:
        server.execute("create table t as select g as id, repeat(md5(g::text), 25) from generate_series(1, %s) g", ROWS)
        server.back_up("first", seconds=SECONDS)
        server.execute("update t set id = id where id < %s", ROWS // 20)
        server.archive_all(seconds=SECONDS)
        yield server


def by_drillmark(source: Server, into: Path) -> tuple[float, float, Path]:
    """Seconds without and of the verification, and where it went."""
    begun = time.perf_counter()
    report = postgres_pitr.restore(
        backups=str(source.backups), archive=str(source.archive), into=str(into), dsn=source.dsn
    )["drillmark"]
    seconds = time.perf_counter() - begun
    verified = (report["verify_ns"][1] - report["verify_ns"][0]) / 1e9
    return seconds - verified, verified, Path(report["data_directory"])


def by_script(source: Server, into: Path, settings: Path) -> tuple[float, Path]:
    place = into / "by script"
    environment = postgres.clean_environment() | {
        "BACKUP": str(source.backups / "first"),
        "INTO": str(place),
        "SETTINGS": str(settings),
        "PORT": str(postgres.free_port()),
        "PSQL": str(postgres.binary("psql")),
    }
    server = postgres.command([postgres.binary("postgres")])
    begun = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", SCRIPT, "sh", *server], env=environment, check=True, timeout=SECONDS)
    return time.perf_counter() - begun, place


def test_a_restore_costs_no_more_than_its_commands(
    source: Server, tmp_path: Path, record_property, capsys: pytest.CaptureFixture
):
    into = tmp_path / "restored"
    into.mkdir()
    postgres.hand_over(into)
    settings = tmp_path / "settings"
    _, _, place = by_drillmark(source, into)
    shutil.copy(place / "postgresql.auto.conf", settings)
    clear(into)
    ours: list[float] = []
    theirs: list[float] = []
    verified: list[float] = []
    for _ in range(BATCHES):
        for turn in range(ROUNDS):
            # Each goes first in turn: what one leaves in the machine's caches helps the other as often.
            for who in ("drillmark", "script") if turn % 2 else ("script", "drillmark"):
                if who == "script":
                    theirs.append(by_script(source, into, settings)[0])
                else:
                    seconds, verifying, _ = by_drillmark(source, into)
                    ours.append(seconds)
                    verified.append(verifying)
                clear(into)
        ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
        if ratio <= AIM:
            break
    megabytes = sum(path.stat().st_size for path in (source.backups / "first").rglob("*") if path.is_file()) / 1e6
    line = (
        f"restore of {megabytes:.0f} MB: drillmark {statistics.median(ours):.2f} s, script {statistics.median(theirs):.2f} s,"
        f" ratio {ratio:.2f} (aim {AIM}, at most {GATE}); verification apart {statistics.median(verified):.2f} s;"
        f" {len(ours)} turns each"
    )
    record_property("restore", line)
    with capsys.disabled():
        print("\n" + line)
    assert ratio <= GATE, line


def clear(into: Path) -> None:
    for place in into.iterdir():
        if place.is_dir():
            assert postgres.stop(place, "kill")
            shutil.rmtree(place)
