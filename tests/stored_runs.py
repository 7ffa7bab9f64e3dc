"""A workspace with a run in it, made as the engine makes them: journal, plan, samples, result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import report_builders as build
from drillmark import gaps, judge, measure, runs, samples
from drillmark import plan as planning
from drillmark.engine.paths import WorkspacePaths
from drillmark.files import write_durably
from drillmark.journal.entries import concluded, to_line
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Effect, Kind
from drillmark.model.plan import Objectives, Plan
from drillmark.report import files

PERIOD_NS = 100_000_000


@dataclass
class Stored:
    workspace: Path
    run: str
    directory: Path
    plan: Plan


def workspace(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "drillmark.yaml").write_text("{}\n")
    return path


def store_run(root: Path, run: str = build.RUN, *, rto_seconds: float = 60.0, finished: bool = True) -> Stored:
    """A run in which users were without service from 1 s to 126 s after the fault."""
    a_plan = build.plan(objectives=Objectives(rto_seconds=rto_seconds, rto_stated=True), load=None, markers=None)
    directory = root / "reports" / "runs" / run
    (directory / "samples").mkdir(parents=True)
    (directory / "plan.json").write_text(a_plan.model_dump_json())
    beats = directory / "samples" / "beats.dms"
    write_beats(beats)
    store = open_store(WorkspacePaths(root))
    started = build.BEGAN_NS + len(store.runs())
    store.create(RunRow(run, a_plan.drill, a_plan.target.name, str(directory.relative_to(root)), 1, started))
    previous = None
    written = []

    def append(entry, data):
        nonlocal previous
        previous = store.append(previous, run=run, epoch=1, kind=entry.kind, stamp=entry.stamp, data=data)
        written.append(previous)

    for entry in build.journal():
        data = dict(entry.data)
        if entry.kind is Kind.RUN_STARTED:
            data["plan_hash"] = planning.digest(a_plan)
        if data.get("what") == "samples_closed":
            data |= {"sha256": samples.digest(beats), "rows": len(samples.read(beats))}
        if entry.effect is Effect.CONCLUDE and not finished:
            break
        if entry.effect is Effect.CONCLUDE and entry.kind is Kind.OUTCOME:
            data["result_sha256"] = conclude(root, directory, a_plan, written, run)
        append(entry, data)
    if finished:
        write_durably(directory / "journal.jsonl", "".join(to_line(entry) + "\n" for entry in written))
    store.close()
    return Stored(root, run, directory, a_plan)


def conclude(root: Path, directory: Path, a_plan: Plan, written: list, run: str) -> str:
    evidence = runs.read_evidence(directory, a_plan, concluded(written))
    measurements = measure.measure(evidence)
    verdict = judge.judge(evidence, measurements)
    filed = gaps.file(root, a_plan, run, verdict, measurements, build.TODAY)
    files.write(directory, a_plan, evidence.entries, measurements, verdict, filed)
    return hashlib.sha256((directory / "result.json").read_bytes()).hexdigest()


def write_beats(path: Path) -> None:
    """A beat every 100 ms over the whole run; bad from 1 s after the fault until the switch-over has ended."""
    begin = build.stamp(4.0).monotonic_ns
    fault = build.stamp(build.FAULT_SECONDS).monotonic_ns
    meta = {
        "run": build.RUN, "host": "host", "boot": "boot", "period_ns": PERIOD_NS,
        "timeout_ns": 2_000_000_000, "probes": ["order-read"],
    }  # fmt: skip
    writer = samples.SampleWriter(path, samples.BEATS, meta)
    for number in range(2245):
        sent = begin + number * PERIOD_NS
        ok = not (fault + 10**9 <= sent < fault + 126 * 10**9)
        writer.append(
            beat=number, probe="order-read", sent_ns=sent, received_ns=sent + 5_000_000, ok=int(ok),
            detail="200" if ok else "refused",
        )  # fmt: skip
    writer.close()


def renamed(run: str, number: int) -> str:
    """Another run's id, later than the first."""
    return run.replace("T100000Z", f"T10{number:02d}00Z").replace("a1b2c3", f"{number:06x}")
