"""DRILLMARK_ARTIFACTS: runs that are over lie there whole; a place that is away fails nothing, and is asked again.

The folder is real. S3 is played by moto's server, which checks no rights and is on this machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

import file_drill
from drillmark import artifacts, clock
from drillmark.artifacts.folder import Folder
from drillmark.artifacts.manifest import MANIFEST
from drillmark.artifacts.place import ArtifactsError, Place
from drillmark.cli import beside, keeping
from drillmark.engine.paths import WorkspacePaths
from drillmark.errors import UsageError
from drillmark.journal.opening import open_store
from drillmark.journal.port import RunRow
from drillmark.model.entry import Kind

PATIENCE_SECONDS = 60.0
RUN = "20260101T000000Z-x-abcdef"


@pytest.fixture
def root(tmp_path) -> Path:
    """A workspace with a run that has ended, marked."""
    made = tmp_path / "ws"
    directory = made / "reports" / "runs" / RUN
    contents = {"samples/beats.dms": "beats", "journal.jsonl": "{}\n", "result.json": "{}", "plan.json": "{}",
                "chaos/events.jsonl": "e\n", "undo.json": "secret", "report.html": "page", "x.json.1.tmp": "half"}  # fmt: skip
    for name, text in contents.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    artifacts.mark(made, RUN)
    begin(made)
    end(made)
    return made


def begin(root: Path) -> None:
    store = open_store(WorkspacePaths(root))
    store.create(RunRow(RUN, "x", "db", f"reports/runs/{RUN}", 1, 0))
    first = store.append(None, run=RUN, epoch=1, kind=Kind.RUN_STARTED, stamp=clock.now(), data={"drill": "x"})
    sealed = {"what": "samples_closed", "file": "samples/beats.dms", "sha256": hashlib.sha256(b"beats").hexdigest()}
    store.append(first, run=RUN, epoch=1, kind=Kind.EVENT, stamp=clock.now(), data=sealed)
    store.close()


def end(root: Path) -> None:
    store = open_store(WorkspacePaths(root))
    last = store.read(RUN)[-1]
    store.append(last, run=RUN, epoch=1, kind=Kind.RUN_ENDED, stamp=clock.now(), data={"verdict": "passed"})
    store.close()


def nobody(_directory: Path) -> bool:
    return False


KEPT = {"chaos/events.jsonl", "journal.jsonl", "plan.json", "report.html", "result.json", "samples/beats.dms"}


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_run_that_is_over_lies_in_the_folder_whole_and_once(root, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    place = Place(folder=folder)
    kept = artifacts.keep(root, place, driven=nobody)
    assert (kept.runs, kept.problems) == ([RUN], [])
    assert below(folder) == {f"{RUN}/{name}" for name in (*KEPT, MANIFEST)}
    listed = json.loads((folder / RUN / MANIFEST).read_text())
    for each in listed["files"]:
        assert hashlib.sha256((folder / RUN / each["path"]).read_bytes()).hexdigest() == each["sha256"]
    assert {each["path"] for each in listed["files"]} == KEPT
    # What is there already is left alone, what was damaged there is put right, and nothing is marked any more.
    assert artifacts.keep(root, place, driven=nobody).runs == []
    (folder / RUN / "report.html").write_text("ruin")
    before = (folder / RUN / "plan.json").stat().st_ino
    artifacts.mark(root, RUN)
    assert artifacts.keep(root, place, driven=nobody).runs == [RUN]
    assert (folder / RUN / "report.html").read_text() == "page"
    assert (folder / RUN / "plan.json").stat().st_ino == before


def test_of_a_run_that_was_taken_over_both_machines_leave_what_they_have(root, tmp_path):
    place, runs = Place(folder=tmp_path / "kept"), root / "reports" / "runs" / RUN
    place.folder.mkdir()
    beats = (runs / "samples" / "beats.dms").read_bytes()
    (runs / "samples" / "beats.dms").unlink()  # these lie on the machine that was lost
    assert artifacts.keep(root, place, driven=nobody).runs == [RUN]
    for path in runs.rglob("*.json"):
        path.unlink()  # and these it never wrote, but for a result of its own
    (runs / "result.json").write_text('{"stale": true}')
    (runs / "samples" / "beats.dms").write_bytes(beats)
    artifacts.mark(root, RUN)
    kept = artifacts.keep(root, place, driven=nobody)
    assert (kept.runs, kept.problems) == ([RUN], [])
    listed = json.loads((place.folder / RUN / MANIFEST).read_text())["files"]
    assert sorted(each["path"] for each in listed) == sorted(KEPT)
    for each in listed:
        assert hashlib.sha256((place.folder / RUN / each["path"]).read_bytes()).hexdigest() == each["sha256"]
    assert (place.folder / RUN / "result.json").read_text() == "{}"


def test_a_journal_that_grew_replaces_what_is_there_and_a_shorter_one_does_not(root, tmp_path):
    place, journal = Place(folder=tmp_path / "kept"), root / "reports" / "runs" / RUN / "journal.jsonl"
    place.folder.mkdir()
    for text, there in (
        ("{}\n", "{}\n"),
        ("{}\n{1}\n", "{}\n{1}\n"),
        ("{}\n", "{}\n{1}\n"),
        ("{2}\n" * 9, "{}\n{1}\n"),
    ):
        journal.write_text(text)
        artifacts.mark(root, RUN)
        assert artifacts.keep(root, place, driven=nobody).problems == []
        assert (place.folder / RUN / "journal.jsonl").read_text() == there
        listed = json.loads((place.folder / RUN / MANIFEST).read_text())["files"]
        (digest,) = [each["sha256"] for each in listed if each["path"] == "journal.jsonl"]
        assert digest == hashlib.sha256(there.encode()).hexdigest()


def test_a_list_that_cannot_be_read_keeps_no_other_run_back(root, tmp_path):
    (tmp_path / RUN).mkdir()
    (tmp_path / RUN / MANIFEST).write_text("{")
    kept = artifacts.keep(root, Place(folder=tmp_path), driven=nobody)
    assert kept.runs == []
    assert kept.problems[0].startswith(f"run {RUN} is not kept: {RUN}/{MANIFEST} is no list of what was kept")


def test_a_place_that_is_away_is_told_and_asked_again(root, tmp_path):
    folder = tmp_path / "not-mounted"
    kept = artifacts.keep(root, Place(folder=folder), driven=nobody)
    assert kept.runs == []
    assert "is no folder" in kept.problems[0]
    assert not folder.exists()
    folder.mkdir()
    assert artifacts.keep(root, Place(folder=folder), driven=nobody).runs == [RUN]


def test_a_sample_file_that_is_not_the_journalled_one_is_told(root, tmp_path):
    (root / "reports" / "runs" / RUN / "samples" / "beats.dms").write_text("other")
    kept = artifacts.keep(root, Place(folder=tmp_path), driven=nobody)
    assert kept.runs == [RUN]
    assert "samples/beats.dms is not what its journal says" in kept.problems[0]
    assert json.loads((tmp_path / RUN / MANIFEST).read_text())["altered"] == ["samples/beats.dms"]


def test_a_copy_that_is_not_what_was_copied_is_refused_and_not_kept(tmp_path):
    """The disk gave something else back, or the file changed meanwhile."""
    source, kept = tmp_path / "result.json", tmp_path / "kept"
    source.write_text("{}")
    kept.mkdir()
    place = Folder(kept)
    with pytest.raises(ArtifactsError, match="the copy is not what was copied"):
        place.put(f"{RUN}/result.json", source, hashlib.sha256(b"something else").hexdigest())
    assert [path for path in kept.rglob("*") if path.is_file()] == []
    place.put(f"{RUN}/result.json", source, hashlib.sha256(b"{}").hexdigest())
    assert (kept / RUN / "result.json").read_text() == "{}"


def test_a_run_that_somebody_drives_or_that_has_not_ended_waits(tmp_path):
    root = tmp_path / "ws"
    (root / "reports" / "runs" / RUN).mkdir(parents=True)
    (root / ".drillmark").mkdir()
    artifacts.mark(root, RUN)
    artifacts.mark(root, "never-began")
    begin(root)
    place = Place(folder=tmp_path)
    assert artifacts.keep(root, place, driven=nobody) == artifacts.Kept()
    end(root)
    assert artifacts.keep(root, place, driven=lambda _directory: True) == artifacts.Kept()
    assert artifacts.keep(root, place, driven=lambda _directory: True, mine=RUN).runs == [RUN]
    assert not list((root / ".drillmark" / "artifacts" / "waiting").iterdir())


@pytest.mark.parametrize("text", ["gs://bucket", "s3://", "s3://Not_A_Bucket/x", "https://example.com/x"])
def test_a_name_that_is_no_place_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setenv(artifacts.VARIABLE, text)
    with pytest.raises(UsageError, match=artifacts.VARIABLE):
        artifacts.configured(tmp_path)


@pytest.fixture
def s3(tmp_path, monkeypatch) -> Iterator[str]:
    """Moto's server, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    for name, value in {"AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
                        "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    log = tmp_path / "moto.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        server.kill()
        server.wait()


def test_a_bucket_of_s3_keeps_the_same(root, s3, monkeypatch):
    monkeypatch.setenv(artifacts.VARIABLE, "s3://evidence/drills/")
    place = artifacts.configured(root)
    assert place is not None
    told = artifacts.keep(root, place, driven=nobody)
    assert told.runs == []
    assert "tried again" in told.problems[0], told  # there is no such bucket yet
    client = boto3.client("s3")
    client.create_bucket(Bucket="evidence")
    assert artifacts.keep(root, place, driven=nobody) == artifacts.Kept([RUN], [])
    found = {each["Key"]: each for each in client.list_objects_v2(Bucket="evidence")["Contents"]}
    assert set(found) == {f"drills/{RUN}/{name}" for name in (*KEPT, MANIFEST)}
    sample = client.get_object(Bucket="evidence", Key=f"drills/{RUN}/samples/beats.dms")
    assert sample["Body"].read() == b"beats"
    # Again: only what differs is sent.
    client.put_object(Bucket="evidence", Key=f"drills/{RUN}/plan.json", Body=b"ruin")
    artifacts.mark(root, RUN)
    assert artifacts.keep(root, place, driven=nobody).runs == [RUN]
    assert client.get_object(Bucket="evidence", Key=f"drills/{RUN}/plan.json")["Body"].read() == b"{}"
    again = {each["Key"]: each for each in client.list_objects_v2(Bucket="evidence")["Contents"]}
    key = f"drills/{RUN}/samples/beats.dms"
    assert again[key]["LastModified"] == found[key]["LastModified"]
    with pytest.raises(ClientError):
        client.head_object(Bucket="evidence", Key=f"drills/{RUN}/undo.json")


def test_a_bucket_of_s3_is_pruned_as_the_workspace_is(root, s3, monkeypatch):
    monkeypatch.setenv(artifacts.VARIABLE, "s3://evidence/drills")
    (root / "drillmark.yaml").write_text("{}\n")
    client = boto3.client("s3")

    def prune() -> list[dict]:
        done = file_drill.drillmark(root, "prune", "--older-than", "1s", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    away = file_drill.drillmark(root, "prune", "--older-than", "1s")
    assert away.returncode == 5, away.stderr  # there is no such bucket yet
    assert "NoSuchBucket" in away.stderr
    client.create_bucket(Bucket="evidence")
    place = artifacts.configured(root)
    assert place is not None
    assert artifacts.keep(root, place, driven=nobody) == artifacts.Kept([RUN], [])
    assert prune() == []  # what may be in effect cannot be read
    (root / "reports" / "runs" / RUN / "undo.json").unlink()
    (one,) = prune()
    assert one["files"] == one["copy_files"] == ["samples/beats.dms"]
    left = {each["Key"] for each in client.list_objects_v2(Bucket="evidence")["Contents"]}
    assert left == {f"drills/{RUN}/{name}" for name in (*KEPT, MANIFEST)} - {f"drills/{RUN}/samples/beats.dms"}
    journal = client.get_object(Bucket="evidence", Key=f"drills/{RUN}/journal.jsonl")["Body"].read()
    assert b'"pruned"' in journal
    listed = json.loads(client.get_object(Bucket="evidence", Key=f"drills/{RUN}/{MANIFEST}")["Body"].read())["files"]
    assert {each["path"]: each["sha256"] for each in listed}["journal.jsonl"] == hashlib.sha256(journal).hexdigest()
    assert "samples/beats.dms" not in {each["path"] for each in listed}
    assert prune() == []


def test_beside_a_worker_a_place_that_is_away_is_complained_of_once(root, tmp_path, monkeypatch):
    monkeypatch.setattr(beside, "_LOOK_SECONDS", 0.05)
    folder = tmp_path / "kept"
    said: list[str] = []

    def wait_for(text: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(text in line for line in said) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(text in line for line in said), said

    with keeping.beside(root, Place(folder=folder), said.append):
        wait_for("is no folder")
        time.sleep(0.5)  # many looks
        assert len(said) == 1
        folder.mkdir()
        wait_for(f"run {RUN} is kept")
    assert len(said) == 2


def test_after_a_run_a_place_that_is_away_is_a_warning_and_no_more(root, monkeypatch, capsys):
    monkeypatch.setenv(artifacts.VARIABLE, "not-there")
    keeping.after(root, RUN)
    assert "tried again" in capsys.readouterr().err
    monkeypatch.setenv(artifacts.VARIABLE, "gs://nowhere")
    keeping.after(root, RUN)
    (root / "not-there").mkdir()
    monkeypatch.setenv(artifacts.VARIABLE, "not-there")
    keeping.after(root, RUN)
    assert capsys.readouterr().err == ""
    assert (root / "not-there" / RUN / MANIFEST).exists()


@pytest.mark.drill
def test_drillmark_run_keeps_its_run(tmp_path, monkeypatch):
    served = tmp_path / "served"
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setenv(artifacts.VARIABLE, str(folder))
    with file_drill.serving(served) as url:
        root = file_drill.make(tmp_path / "ws", (url, served))
        ended = file_drill.drillmark(root, "run", file_drill.DRILL)
    # Its verdict is another matter: beats may be missing on a busy machine.
    assert "runs are not kept" not in ended.stderr, ended.stdout + ended.stderr
    (run,) = (root / "reports" / "runs").iterdir()
    names = below(folder / run.name)
    assert {"journal.jsonl", "plan.json", "result.json", "report.html", "samples/beats.dms", MANIFEST} <= names
    assert "undo.json" not in names
    assert json.loads((folder / run.name / MANIFEST).read_text())["altered"] == []
