"""Performs the end: measure, judge, file gaps, write the report, close the journal."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from drillmark import clock, files, gaps, judge, measure, report
from drillmark.database import address
from drillmark.decide import Decision, stops
from drillmark.engine import guarding, injecting
from drillmark.engine.ending import end_journal
from drillmark.engine.hands import Hands
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import GapRegisterError
from drillmark.journal.entries import concluded, last, to_line
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.evidence import Evidence
from drillmark.model.measurement import Measurements
from drillmark.model.stamp import NANOSECONDS
from drillmark.model.verdict import Outcome, Verdict


def conclude(hands: Hands, decision: Decision) -> None:
    """Measure and judge what was recorded, file gaps, write the report. Idempotent by run."""
    context = hands.context
    context.check_journal()
    if not stops.may_be_in_effect(context.entries):
        injecting.drop_prepared(hands)
    if not context.undo_state.undoables:
        guarding.stop_guard(hands)
    end_journal(context)
    context.intent(Effect.CONCLUDE, "", decision.attempt)
    evidence = dataclasses.replace(hands.evidence(), entries=tuple(concluded(context.entries)))
    told = settle(context.workspace, context.paths, context.run, evidence)
    context.outcome(Effect.CONCLUDE, "", decision.attempt, **told)


def settle(workspace: WorkspacePaths, paths: RunPaths, run: str, evidence: Evidence) -> dict[str, Any]:
    """Measure, judge, file gaps and write the reports of a run; returns what its journal says of that. Idempotent."""
    measurements = measure.measure(evidence)
    verdict = judge.judge(evidence, measurements)
    today = datetime.fromtimestamp(clock.now().wall_ns / NANOSECONDS, tz=UTC).date()
    problem = ""
    filed = []
    try:
        if _changes_gaps(workspace, verdict):
            filed = gaps.file(workspace.root, evidence.plan, run, verdict, measurements, today)
    except GapRegisterError as error:
        problem, filed = f"gaps could not be filed: {error}", error.gaps
    report.write(paths.directory, evidence.plan, evidence.entries, measurements, verdict, filed)
    return {
        "status": Status.FAILED if problem else Status.SUCCEEDED,
        "error": problem,
        "verdict": str(verdict.outcome),
        "exit_code": judge.exit_code(verdict),
        "reasons": list(verdict.reasons),
        "gaps": [gap.id for gap in filed],
        # An error budget asks for it on machines that have no folder of this run.
        "rta_upper_seconds": _rta_upper_seconds(measurements, verdict),
        "result_sha256": hashlib.sha256(paths.result.read_bytes()).hexdigest(),
    }


def _rta_upper_seconds(measurements: Measurements, verdict: Verdict) -> float | None:
    """The upper edge of the RTA, as the result has it; None where there is none."""
    judged = verdict.of("rto")
    observed = judged.observed if judged is not None else measurements.rta.seconds
    return observed.hi if observed is not None else None


def _changes_gaps(workspace: WorkspacePaths, verdict: Verdict) -> bool:
    """Whether there is anything to file or to close: the register is not even imported where there is not."""
    bad = any(judged.outcome in (Outcome.FAILED, Outcome.UNKNOWN) for judged in verdict.judged)
    shared = bool(address.configured())
    return bad or shared or any((workspace.reports / "gaps").glob("GAP-*.yaml"))


def end(hands: Hands, _decision: Decision) -> None:
    """Close the run: its last entry, and the journal as JSON lines beside the result."""
    context = hands.context
    found = last(context.entries, Effect.CONCLUDE)
    outcome = found.outcome.data if found and found.outcome else {}
    context.journal(
        Kind.RUN_ENDED,
        {"verdict": outcome.get("verdict", "unknown"), "exit_code": outcome.get("exit_code", 5)},
        sentence="the run has ended",
    )
    problem = tidy(context.paths, context.entries)
    if problem:
        context.view.notice(f"report.html was not written: {problem}; `drillmark report {context.run}` tries again")


def make_up_for_export(paths: RunPaths, entries: Sequence[Entry]) -> None:
    """For a run whose runner was killed after its last entry. What stands there is evidence, and stays."""
    with suppress(OSError):
        if not paths.journal.exists():
            tidy(paths, entries)


def tidy(paths: RunPaths, entries: Sequence[Entry]) -> str:
    """What follows the last entry: `journal.jsonl`, the page, and no drafts of what was killed. Idempotent.

    Returns why there is no page, empty where there is one: the run has ended, and nothing of it changes that.
    """
    from drillmark import pages  # noqa: PLC0415 - it waits for what only the end needs

    export_journal(paths, entries)
    problem = pages.write_after_run(paths.directory, entries)
    files.drop_drafts(paths.directory)
    return problem


def export_journal(paths: RunPaths, entries: Sequence[Entry]) -> None:
    """Write `journal.jsonl`, from which alone a run can be verified and measured again."""
    files.write_durably(paths.journal, "".join(to_line(entry) + "\n" for entry in entries))
