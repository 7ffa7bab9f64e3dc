"""Runs that are large: an hour with as many requests as one likes, a drill of fourteen hours; in memory or on a disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import report_kinds
from drillmark.files import write_durably
from drillmark.journal.entries import to_line
from drillmark.model.evidence import Evidence, Table
from drillmark.report import files
from drillmark.samples.layout import BLOCK_LIMIT_ROWS, LAYOUTS, Header, block, control_block
from rig.journal import ORIGIN_NS, table
from rig.plain import drill
from rig.service import Prober
from rig.store import Store

SECOND = 1_000_000_000


def hour(requests: int) -> report_kinds.Made:
    """A drill of an hour under load: users were without service for ten minutes."""
    return report_kinds.of(_drill(requests, down=(60.0, 660.0), end=3500.0, period=0.5).evidence)


def fourteen_hours() -> report_kinds.Made:
    """A drill of fourteen hours, most of it outage, and no load."""
    return report_kinds.of(_drill(0, down=(60.0, 44_000.0), end=50_300.0, period=5.0).evidence)


def _drill(requests: int, *, down: tuple[float, float], end: float, period: float) -> Any:
    begin, back = down
    middle = (begin + back) / 2
    every = (end + 10) / 9000
    return drill(
        down=[down],
        effect=1.0,
        recover=((begin + 5, middle), (middle, back - 1)),
        recover_data={
            "drillmark": {
                "copy_ns": [ORIGIN_NS + round((begin + 10) * SECOND), ORIGIN_NS + round(middle * SECOND)],
                "replay_ns": [ORIGIN_NS + round(middle * SECOND), ORIGIN_NS + round((back - 5) * SECOND)],
                "data_restored_ns": [ORIGIN_NS + round((back - 5) * SECOND), ORIGIN_NS + round((back - 4) * SECOND)],
                "bytes": 48_000_000_000,
            }
        },
        verify=((back + 1, back + 30, True),),
        soak_end=end,
        prober=Prober(period=period, begin=-10.0, end=end + 3),
        store=Store(
            gone_at=begin, recovery_point=begin - 20 * every, new_from=back - 3, restored_from=back - 5, end=end,
            every=every,
        ),
        load=_load(requests, down, end) if requests else None,
        plan={"period": period, "hold": 5.0 if period < 1 else 30.0} | ({"p95": 0.5, "availability": 0.9} if requests else {}),
    )  # fmt: skip


def _load(requests: int, down: tuple[float, float], end: float) -> tuple[Table, Table]:
    random = np.random.default_rng(6)
    start = np.sort(random.uniform(-10.0, end + 2, requests))
    ok = (start < down[0]) | (start >= down[1])
    latency = np.where(ok, random.lognormal(-3.6, 0.5, requests), 0.002)
    columns = {
        "start_ns": ORIGIN_NS + (start * SECOND).astype(np.int64),
        "latency_ns": (latency * SECOND).astype(np.int64),
        "name": np.zeros(requests, dtype=np.int32),
        "ok": ok.astype(np.uint8),
        "error": np.zeros(requests, dtype=np.int32),
    }
    seconds = np.arange(-11, round(end) + 3, dtype=np.int64)
    users = {"at_ns": ORIGIN_NS + seconds * SECOND, "users": np.full(len(seconds), 20, dtype=np.int32)}
    return table(columns), table(users, {"period_ns": SECOND})


def store(root: Path, made: report_kinds.Made) -> Path:
    """The run's folder as the engine leaves it: plan, journal, samples, result."""
    evidence = made.evidence
    folder = root / "reports" / "runs" / str(made["run"])
    (folder / "samples").mkdir(parents=True)
    (root / "drillmark.yaml").write_text("{}\n")
    (folder / "plan.json").write_text(evidence.plan.model_dump_json())
    write_durably(folder / "journal.jsonl", "".join(to_line(entry) + "\n" for entry in evidence.entries))
    write_durably(folder / files.RESULT, files.to_json(dict(made)))
    for name, found in _tables(evidence).items():
        if found is not None:
            write_table(folder / "samples" / f"{name}.dms", found)
    return folder


def _tables(evidence: Evidence) -> dict[str, Table | None]:
    found = {"beats": evidence.beats, "load": evidence.load, "load-users": evidence.load_users}
    for name, written in evidence.written.items():
        suffix = f"-{name}" if name else ""
        found |= {f"ledger{suffix}": written.ledger, f"survivors{suffix}": written.survivors}
    return found


def write_table(path: Path, found: Table) -> None:
    """A sample file with these rows, without asking a writer for each of them."""
    layout = {name: kind for name, kind in LAYOUTS[path.stem.split("_")[0]].items() if name in found.columns}
    with path.open("wb") as file:
        file.write(Header(layout, found.meta).encode())
        file.write(control_block({"words": {name: words for name, words in found.texts.items() if name in layout}}))
        for begin in range(0, len(found), BLOCK_LIMIT_ROWS):
            parts = [found.columns[name][begin : begin + BLOCK_LIMIT_ROWS] for name in layout]
            file.write(block(len(parts[0]), b"".join(np.ascontiguousarray(part).tobytes() for part in parts)))
        if found.closed:
            file.write(control_block({"closed": len(found)}))
