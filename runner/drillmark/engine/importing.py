"""Turns a journal of `chaos run` into the record of a run: directory, journal entries, result, report.

Nothing is performed, nothing is watched, no gap is filed or closed: the run is somebody else's, and over. Must never
write over a run that is there, nor pass what the journal does not show.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drillmark import __version__, files, judge, measure, pages, report, undo
from drillmark import plan as planning
from drillmark.chaos import past
from drillmark.engine import bare
from drillmark.engine.early import make_directory
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.engine.start import RunEnded
from drillmark.errors import UsageError
from drillmark.journal.entries import follow, to_line
from drillmark.journal.opening import open_if_there, open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.evidence import Evidence
from drillmark.model.plan import Bare, Plan
from drillmark.model.stamp import NANOSECONDS, Stamp
from drillmark.model.verdict import Verdict

LARGEST_BYTES = 256 * 1024 * 1024
# The times in a journal are those of the wall, read once for each activity.
CLOCK_ERROR_SECONDS = 1.0


def load(path: Path) -> tuple[past.Past, dict[str, Any], str]:
    """The journal's facts, the journal itself with secrets masked, and its hash. Raises UsageError."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UsageError(f"{path} is too large for a journal: more than {LARGEST_BYTES >> 20} MiB")
        data = path.read_bytes()
        value = json.loads(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}", hint="name the journal.json that `chaos run` wrote") from error
    wrong = list(past.problems(value))
    if wrong:
        raise UsageError(
            f"{path} is no journal of `chaos run`: {'; '.join(wrong)}", hint="name the journal.json that it wrote"
        )
    journal = past.masked(value)
    return past.read(journal), journal, hashlib.sha256(data).hexdigest()


def import_journal(root: Path, path: Path) -> RunEnded:
    """Make a run of a journal. Raises UsageError where it is none, or was imported before."""
    told, journal, digest = load(path)
    workspace = WorkspacePaths(root)
    plan = _plan(root, path, told)
    moment = datetime.fromtimestamp(told.begin.wall_ns / NANOSECONDS, tz=UTC)
    run = f"{moment:%Y%m%dT%H%M%SZ}-{plan.drill}-{digest[:6]}"
    paths = RunPaths(workspace.runs / run)
    if paths.directory.exists():
        if _is_listed(workspace, run):
            raise UsageError(f"this journal was imported before, as {run}", hint=f"`drillmark show {run}` shows it")
        # Left by an import that was cut short.
        shutil.rmtree(paths.directory)
    try:
        make_directory(paths)
        files.write_durably(paths.chaos_journal, json.dumps(journal, indent=2, ensure_ascii=False))
        files.write_durably(paths.plan, json.dumps(plan.model_dump(mode="json"), sort_keys=True, indent=1))
        undo.write_epoch(paths.epoch, 1)
        undo.write(paths.undo, undo.UndoState(run))
        entries, verdict = _concluded(paths, run, plan, _entries(run, plan, told, journal, digest))
        files.write_durably(paths.journal, "".join(to_line(entry) + "\n" for entry in entries))
        _store(workspace, paths, plan, entries)
        pages.write_after_run(paths.directory, entries)
    except BaseException:
        shutil.rmtree(paths.directory, ignore_errors=True)
        raise
    return RunEnded(run, paths.directory, str(verdict.outcome), judge.exit_code(verdict), verdict.reasons)


def _plan(root: Path, path: Path, told: past.Past) -> Plan:
    folder = str(path.resolve().parent)
    options = Bare.model_validate(
        {
            "source": path.name,
            "folder": folder,
            "journal_path": str(path.resolve()),
            "settings_path": "",
            "dry": told.dry,
        }
    )
    made = bare.make_plan(root, options, bare.Loaded(told.experiment, told.experiment, secrets_written_out=False))
    # A journal is called journal.json: what was run tells more.
    return made.model_copy(update={"drill": bare.slug(f"{made.title}.json")})


def _entries(run: str, plan: Plan, told: past.Past, journal: dict[str, Any], digest: str) -> list[Entry]:
    """What happened, as far as the journal tells."""
    chain: list[Entry] = []
    method_end, rollbacks_end, end = told.ends

    def add(kind: Kind, stamp: Stamp, **data: Any) -> None:
        chain.append(follow(chain[-1] if chain else None, run=run, epoch=1, kind=kind, stamp=stamp, data=data))

    def did(effect: Effect, begun: Stamp, ended: Stamp, **data: Any) -> None:
        named = {"effect": effect, "key": "", "attempt": 1}
        add(Kind.INTENT, begun, **named)
        add(
            Kind.OUTCOME,
            ended,
            **named,
            **{"error": "", "started": begun.as_json(), "ended": ended.as_json(), **data},
        )

    add(
        Kind.RUN_STARTED,
        told.begin,
        drill=plan.drill,
        target=plan.target.name,
        plan_hash=planning.digest(plan),
        versions={"drillmark": __version__, "chaostoolkit-lib": str(journal.get("chaoslib-version") or "unknown")},
        clock_error_seconds=CLOCK_ERROR_SECONDS,
        unattended=True,
        imported={"sha256": digest, "node": told.begin.host},
    )
    did(Effect.INJECT, told.begin, method_end, **told.inject)
    if told.undo is not None:
        did(Effect.UNDO, method_end, rollbacks_end, **told.undo)
        did(Effect.PROVE_UNDONE, rollbacks_end, rollbacks_end, status=Status.SKIPPED)
    did(Effect.STOP_OBSERVERS, end, end, status=Status.SKIPPED)
    return chain


def _concluded(paths: RunPaths, run: str, plan: Plan, chain: list[Entry]) -> tuple[list[Entry], Verdict]:
    """Measure, judge and report; the chain with what says so."""
    evidence = Evidence(plan=plan, entries=tuple(chain))
    measurements = measure.measure(evidence)
    verdict = judge.judge(evidence, measurements)
    report.write(paths.directory, plan, tuple(chain), measurements, verdict, [])
    end = chain[-1].stamp
    outcome = {"verdict": str(verdict.outcome), "exit_code": judge.exit_code(verdict)}
    named = {"effect": Effect.CONCLUDE, "key": "", "attempt": 1}
    more: list[tuple[Kind, dict[str, Any]]] = [
        (Kind.INTENT, named),
        (
            Kind.OUTCOME,
            named
            | outcome
            | {
                "status": Status.SUCCEEDED,
                "error": "",
                "reasons": list(verdict.reasons),
                "gaps": [],
                "result_sha256": hashlib.sha256(paths.result.read_bytes()).hexdigest(),
            },
        ),
        (Kind.RUN_ENDED, outcome),
    ]
    entries = list(chain)
    for kind, data in more:
        entries.append(follow(entries[-1], run=run, epoch=1, kind=kind, stamp=end, data=data))
    return entries, verdict


def _is_listed(workspace: WorkspacePaths, run: str) -> bool:
    store = open_if_there(workspace)
    if store is None:
        return False
    try:
        return any(row.run == run for row in store.find(run))
    finally:
        store.close()


def _store(workspace: WorkspacePaths, paths: RunPaths, plan: Plan, entries: list[Entry]) -> None:
    """All at once: a run with the first of them alone would look like one that was lost."""
    store = open_store(workspace)
    try:
        first = entries[0]
        directory = str(paths.directory.relative_to(workspace.root))
        row = RunRow(first.run, plan.drill, plan.target.name, directory, 1, first.stamp.wall_ns)
        store.add_whole(row, entries)
    finally:
        store.close()
