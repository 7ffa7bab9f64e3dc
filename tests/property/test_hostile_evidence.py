"""Journals, samples, undo files, leases, logs that were damaged or forged: told so, or worse, and never better."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import report_builders as build
from drillmark import files, judge, measure, runs, samples, undo
from drillmark.chaos.events import read_events
from drillmark.chaos.undo import begun, done, limit_seconds
from drillmark.cli.states import is_driven
from drillmark.decide import decide
from drillmark.engine.paths import RunPaths, WorkspacePaths
from drillmark.errors import JournalError, SampleFileError, UndoFileError, UsageError
from drillmark.guard.watching import Lookout, reason_to_act
from drillmark.journal.entries import first_break, from_line, to_line
from drillmark.journal.store import JournalStore
from drillmark.model.evidence import Evidence
from drillmark.model.verdict import Outcome
from drillmark.report import document, junit, markdown, sentences
from drillmark.report import files as report_files
from exhaustive import how_many
from hostile import harmful, mangled, spoiled
from stored_runs import store_run, workspace

SEEDS = st.integers(0, 2**40)
ENTRIES = tuple(build.journal())
LINES = [to_line(entry) for entry in ENTRIES]
BODIES = [json.loads(line) for line in LINES]
TEMPLATE = report_files.shipped_template().read_text()


def many(examples: int, exhaustive: int = 20_000):
    return settings(
        max_examples=how_many(examples, exhaustive), deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return store_run(workspace(tmp_path_factory.mktemp("evidence") / "ws"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@many(2120)
@given(st.integers(0, len(LINES) - 1), SEEDS)
def test_a_line_of_a_journal(which, seed):
    data = mangled(LINES[which].encode(), random.Random(seed))
    try:
        entry = from_line(data.decode("utf-8", "replace"))
    except JournalError as error:
        said = str(error)
    else:
        said = ""
        # What can be read can be checked, and decided on.
        first_break([entry])
        decide(build.plan(), [entry])
    assert not harmful(said)


@many(60)
@given(SEEDS)
def test_a_forged_journal_is_measured_judged_and_shown_without_a_traceback(seed):
    """And what it says is shown harmless in every face."""
    chance = random.Random(seed)
    bodies = list(BODIES)
    for _ in range(chance.choice([1, 2, 5])):
        at = chance.randrange(len(bodies))
        bodies[at] = bodies[at] | {"data": spoiled(bodies[at]["data"], chance)}
    entries = []
    for body in bodies:
        try:
            entries.append(from_line(json.dumps(body)))
        except JournalError:
            continue
    plan = build.plan()
    decide(plan, entries)
    evidence = Evidence(plan=plan, entries=tuple(document.concluded(entries)))
    measurements = measure.measure(evidence)
    verdict = judge.judge(evidence, measurements)
    assert verdict.outcome is not Outcome.PASSED
    result = document.build(plan, evidence.entries, measurements, verdict)
    shown = [
        report_files.to_json(result), junit.render(result), markdown.render(result, TEMPLATE),
        *(text for text, _style in sentences.summary(result)),
    ]  # fmt: skip
    assert not [harmful(text) for text in shown if harmful(text)]


@many(30)
@given(SEEDS)
def test_titles_owners_and_errors_with_control_characters_are_shown_harmless(seed):
    chance = random.Random(seed)
    base = build.plan().model_dump(mode="json")
    nasty = {name: f"{name} {chance.choice(NASTY)}" for name in ("title", "owner", "drill", "runbook", "source")}
    plan = type(build.plan()).model_validate(base | nasty)
    entries = [
        replace(entry, data=entry.data | ({"error": chance.choice(NASTY), "reason": chance.choice(NASTY)}))
        for entry in ENTRIES
    ]
    evidence = Evidence(plan=plan, entries=tuple(document.concluded(entries)))
    measurements = measure.measure(evidence)
    result = document.build(plan, evidence.entries, measurements, judge.judge(evidence, measurements))
    shown = [
        report_files.to_json(result), junit.render(result), markdown.render(result, TEMPLATE),
        *(text for text, _style in sentences.summary(result)),
    ]  # fmt: skip
    assert not [harmful(text) for text in shown if harmful(text)]
    # In a span of code Markdown shows markup as it stands; elsewhere it must have been escaped.
    assert "<script>" not in shown[1] + re.sub(r"`[^`\n]*`", "", shown[2])


NASTY = [
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "a\r\nb",
    "<script>alert(1)</script>",
    "\x9b31m",
    "\ud800",
    "``` | #",
]


@many(300)
@given(SEEDS)
def test_rows_of_the_journal_database(stored, folder, seed):
    """Whatever stands in its rows: read, or an error of the journal."""
    chance = random.Random(seed)
    store = JournalStore(stored.workspace / ".drillmark/journal.sqlite3")
    copy = sqlite3.connect(":memory:")
    store._connection.backup(copy)
    store._connection.close()
    column = chance.choice(["stamp", "data", "kind", "epoch", "sequence", "hash"])
    value = chance.choice(["", "{", "null", "[]", '{"a":', "NaN", -1, 2**40, b"\xff\x00", '"x"', "[" * 5000, "1e999"])
    number = chance.randint(1, len(ENTRIES))
    try:
        copy.execute(f"update entries set {column} = ? where sequence = ?", (value, number))
    except sqlite3.IntegrityError:
        copy.close()
        return
    store._connection = copy
    said = ""
    try:
        read = store.read(stored.run)
        first_break(read)
        decide(stored.plan, read)
    except JournalError as error:
        said = str(error)
    finally:
        store.close()
    assert not harmful(said)


@many(60, 1000)
@given(SEEDS)
def test_bytes_of_the_journal_database(stored, folder, seed):
    whole = (stored.workspace / ".drillmark/journal.sqlite3").read_bytes()
    path = folder / f"{seed}.sqlite3"
    path.write_bytes(mangled(whole, random.Random(seed)))
    try:
        store = JournalStore(path)
        try:
            store.runs()
            store.read(stored.run)
        finally:
            store.close()
    except JournalError:
        pass
    finally:
        for each in folder.glob(f"{seed}.sqlite3*"):
            each.unlink()


@many(500)
@given(SEEDS)
def test_sample_files(stored, folder, seed):
    path = folder / "beats.dms"
    path.write_bytes(mangled((stored.directory / "samples/beats.dms").read_bytes()[:20_000], random.Random(seed)))
    try:
        table = samples.read(path)
    except SampleFileError as error:
        said = str(error)
        assert said.isprintable()
        return
    evidence = Evidence(plan=stored.plan, entries=tuple(document.concluded(ENTRIES)), beats=table)
    measure.measure(evidence)


UNDO = {
    "format": undo.FORMAT, "run": "r",
    "undoables": [
        {"path": "experiments/x.yaml", "variables": {"a": "b"},
         "experiment": {"title": "x", "method": [], "rollbacks": [{"name": "back", "type": "action", "provider": {}}]}}
    ],
    "children": [{"role": "guard", "pid": 1234567, "start": "1"}],
}  # fmt: skip
LEASE = {"renewed_ns": 5, "boot": "b", "epoch": 1, "runner": {"pid": 1234567, "start": "1"}, "stopping": False}


@many(600)
@given(SEEDS, st.booleans())
def test_undo_files_epochs_and_leases(folder, seed, in_bytes):
    """Unreadable is the worse: nobody may act by an epoch that cannot be read, and the guard takes a fault for there."""
    chance = random.Random(seed)
    paths = RunPaths(folder)
    for path, value in ((paths.undo, UNDO), (paths.lease, LEASE)):
        text = json.dumps(value) if in_bytes else json.dumps(spoiled(value, chance))
        path.write_bytes(mangled(text.encode(), chance) if in_bytes else text.encode("utf-8", "surrogatepass"))
    paths.epoch.write_bytes(mangled(b"3\n", chance))
    told: list[str] = []
    for read in (lambda: undo.read(paths.undo), lambda: undo.read_epoch(paths.epoch)):
        try:
            state = read()
        except UndoFileError as error:
            told.append(str(error))
            continue
        for undoable in state.undoables if isinstance(state, undo.UndoState) else ():
            limit_seconds(undoable.experiment, timeout_seconds_each=60)
    assert not harmful("".join(told))
    is_driven(folder)
    watch = Lookout(paths, WorkspacePaths(folder), "b", 5).look(10)
    reason_to_act(watch, lease_seconds=30, runner_lost="undo", deadline_ns=10**12)
    body = files.read_json(paths.undo)
    if not isinstance(body, dict):
        assert watch.something_in_effect


EVENTS = [
    {"n": 1, "event": "ready", "stamp": ENTRIES[0].stamp.as_json(), "name": "x"},
    {"n": 2, "event": "activity_started", "phase": "method", "index": 0, "type": "action", "timeout_seconds": 3,
     "stamp": ENTRIES[0].stamp.as_json()},
    {"n": 3, "event": "activity_ended", "phase": "rollbacks", "index": 0, "type": "action", "status": "succeeded",
     "stamp": ENTRIES[0].stamp.as_json()},
]  # fmt: skip


@many(800)
@given(SEEDS, st.booleans())
def test_event_and_guard_logs(folder, seed, in_bytes):
    chance = random.Random(seed)
    path = folder / "log.jsonl"
    values = EVENTS if in_bytes else [spoiled(value, chance) for value in EVENTS]
    text = "".join(json.dumps(value) + "\n" for value in values)
    path.write_bytes(mangled(text.encode(), chance) if in_bytes else text.encode("utf-8", "surrogatepass"))
    events = read_events(path)
    begun(events)
    done(events)
    assert all(isinstance(line, dict) for line in files.read_json_lines(path))


def test_a_sample_file_that_is_a_link_out_of_the_run_is_not_read(tmp_path):
    made = store_run(workspace(tmp_path / "ws"))
    outside = tmp_path / "outside.dms"
    beats = made.directory / "samples/beats.dms"
    beats.rename(outside)
    beats.symlink_to(outside)
    assert runs.read_evidence(made.directory, made.plan, ENTRIES).beats is None


def test_a_plan_or_result_that_is_a_link_out_of_the_run_is_refused(tmp_path):
    made = store_run(workspace(tmp_path / "ws"))
    for name, read in (("plan.json", runs.read_plan), ("result.json", report_files.read)):
        (made.directory / name).rename(tmp_path / name)
        (made.directory / name).symlink_to(tmp_path / name)
        with pytest.raises(UsageError, match="leads out"):
            read(made.directory)


def test_a_run_that_lies_outside_the_workspace_is_refused(tmp_path):
    made = store_run(workspace(tmp_path / "ws"))
    with sqlite3.connect(made.workspace / ".drillmark/journal.sqlite3") as connection:
        connection.execute("update runs set directory = '../../outside'")
    connection.close()
    with pytest.raises(UsageError, match="outside"):
        runs.find(made.workspace, "last")
