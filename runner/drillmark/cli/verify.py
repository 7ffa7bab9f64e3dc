"""`drillmark verify`: whether a run's evidence is whole and unchanged. For an auditor; reads only.

What is checked, and how to check it without Drillmark: `docs/reference/journal.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from drillmark.cli import terminal
from drillmark.errors import EXIT_FAILED, DrillmarkError, JournalError, SampleFileError

if TYPE_CHECKING:
    from drillmark.cli.stored import StoredRun
    from drillmark.model.entry import Entry


Found = Literal["good", "wrong", "unchecked"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was checked. `unchecked`: it could not be, and why stands in `detail`."""

    what: str
    found: Found
    detail: str


@click.command()
@click.argument("run", default="last")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, run: str, *, as_json: bool) -> None:
    """Check that a run's evidence is whole and unchanged.

    RUN is its id, the beginning of it, `last`, or the folder where it lies. Checks the journal's chain of hashes, and
    plan, samples and result against the hashes in the journal. Exits with 1 where anything is wrong.
    """
    from drillmark.cli import stored
    from drillmark.report import words

    found = stored.find(run)
    checked = list(check(found))
    wrong = [item for item in checked if item.found == "wrong"]
    if as_json:
        all_checked = [{"what": item.what, "found": item.found, "detail": item.detail} for item in checked]
        terminal.echo_json({"run": found.run, "whole": not wrong, "checks": all_checked})
    else:
        marks = {"good": ("ok", ""), "wrong": ("WRONG", "bad"), "unchecked": ("-", "doubt")}
        lines = [(f"{marks[item.found][0]:6} {item.what}: {item.detail}", marks[item.found][1]) for item in checked]
        terminal.echo_lines([(words.harmless(text), style) for text, style in lines])
        said = f"{words.plural(len(wrong), 'check')} failed" if wrong else "the evidence is whole and unchanged"
        terminal.echo_lines([(f"{said}: run {found.run}", "bad" if wrong else "good")])
    if wrong:
        context.exit(EXIT_FAILED)


def check(found: StoredRun) -> Iterator[Checked]:
    """Everything that can be checked of a run."""
    yield _chain(found.entries)
    if found.in_database:
        yield _exported(found)
    yield _plan(found)
    yield from _samples(found)
    yield _result(found)


def _chain(entries: tuple[Entry, ...]) -> Checked:
    from drillmark.journal.entries import first_break

    if not entries:
        return Checked("journal", "wrong", "there are no entries")
    broken = first_break(entries)
    strangers = {entry.run for entry in entries} - {entries[0].run}
    if not broken and strangers:
        broken = f"it holds entries of another run: {', '.join(sorted(strangers))}"
    detail = broken or f"{len(entries)} entries, each follows from the one before; the last is {entries[-1].hash}"
    return Checked("journal", "wrong" if broken else "good", detail)


def _exported(found: StoredRun) -> Checked:
    from drillmark import runs
    from drillmark.journal.entries import run_ended

    try:
        exported = runs.read_exported(found.directory)
    except JournalError as error:
        return Checked("journal.jsonl", "wrong", str(error))
    if not exported:
        ended = run_ended(found.entries) is not None
        return Checked("journal.jsonl", "wrong" if ended else "unchecked", "is not there")
    # The export is written at the end; what was journalled after it (a late undo) is in the database alone.
    same = exported == found.entries[: len(exported)]
    detail = "the same entries" if same else "differs from the workspace's journal"
    return Checked("journal.jsonl", "good" if same else "wrong", detail)


def _plan(found: StoredRun) -> Checked:
    from drillmark import plan as planning
    from drillmark import runs

    said = found.entries[0].data.get("plan_hash") if found.entries else None
    if not said:
        return Checked("plan.json", "unchecked", "the journal names no hash of it")
    try:
        runs.read_plan(found.directory)
        digest = planning.stored_digest((found.directory / "plan.json").read_text(encoding="utf-8"))
    except (DrillmarkError, OSError, ValueError) as error:
        return Checked("plan.json", "wrong", str(error))
    return _compared("plan.json", digest, said)


def _samples(found: StoredRun) -> Iterator[Checked]:
    closed = [entry.data for entry in found.entries if entry.data.get("what") == "samples_closed"]
    sealed = {str(data.get("file")): data for data in closed}
    pruned = {str(name): entry for entry in found.entries if entry.data.get("what") == "pruned"
              for name in entry.data.get("files", ())}  # fmt: skip
    for name, data in sealed.items():
        if name in pruned and not (found.directory / name).exists():
            by, entry = pruned[name].data.get("by", "somebody"), pruned[name].sequence
            yield Checked(name, "unchecked", f"was pruned by {by} (journal entry {entry}); its hash is in the journal")
            continue
        yield _sample(found.directory, name, str(data.get("sha256") or ""))
    folder = found.directory / "samples"
    for path in sorted(folder.glob("*.dms")):
        if f"samples/{path.name}" not in sealed:
            yield Checked(f"samples/{path.name}", "unchecked", "the journal names no hash of it")


def _sample(directory: Path, name: str, said: str) -> Checked:
    from drillmark import samples

    path = directory / name
    if not path.resolve().is_relative_to(directory.resolve()):
        return Checked(name, "wrong", "lies outside the run")
    if not path.exists():
        return Checked(name, "wrong", "is not there")
    if not said:
        return Checked(name, "unchecked", "could not be read when it was closed")
    try:
        digest = samples.digest(path)
    except (SampleFileError, OSError) as error:
        return Checked(name, "wrong", str(error))
    return _compared(name, digest, said)


def _result(found: StoredRun) -> Checked:
    said = next(
        (entry.data["result_sha256"] for entry in reversed(found.entries) if "result_sha256" in entry.data), None
    )
    path = found.directory / "result.json"
    if said is None:
        return Checked("result.json", "unchecked", "the run was not concluded")
    if not path.exists():
        return Checked("result.json", "wrong", "is not there")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _compared("result.json", digest, str(said))


def _compared(what: str, digest: str, said: str) -> Checked:
    if digest == said:
        return Checked(what, "good", f"SHA-256 {digest}")
    return Checked(what, "wrong", f"its SHA-256 is {digest}, the journal says {said}")
