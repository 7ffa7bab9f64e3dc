"""Recovery's small parts: targets, settings, copies, markers, progress."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from drillmark import clock
from drillmark.errors import RecoveryError
from drillmark.recovery import activity, copying, marker, server
from drillmark.recovery.progress import Progress
from drillmark.recovery.target import Target


class TestTarget:
    def test_what_is_understood(self):
        assert Target.parse("latest") == Target()
        assert Target.parse("1/2A") == Target(position=(1 << 32) + 42)
        assert Target.parse("2026-01-02T03:04:05.000006Z").wall_ns == 1767323045_000006000
        assert str(Target.parse("0/2A", inclusive=False)) == "before 0/2A"

    @pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02T03:04:05", "1/2/3", "${drillmark_fault_position}"])
    def test_what_is_refused(self, text: str):
        with pytest.raises(RecoveryError):
            Target.parse(text)

    def test_a_variable_nobody_supplied_is_explained(self):
        with pytest.raises(RecoveryError) as caught:
            Target.parse("${drillmark_fault_position}")
        assert "nobody supplied that variable" in caught.value.hint

    def test_all_targets_are_set_so_that_none_left_over_interferes(self):
        settings = Target.parse("0/2A", inclusive=False).settings
        assert settings["recovery_target_lsn"] == "0/2A"
        assert settings["recovery_target_inclusive"] == "off"
        assert settings["recovery_target_time"] == settings["recovery_target_xid"] == settings["recovery_target"] == ""


class TestSettings:
    @pytest.mark.parametrize("name", ["plain", "with a space", "it's 100% $HOME; `x`", 'say "hello"'])
    def test_the_restore_command_works_whatever_the_archive_is_called(self, tmp_path: Path, name: str):
        archive, data = tmp_path / name, tmp_path / "data dir"
        archive.mkdir()
        data.mkdir()
        (archive / "SEGMENT").write_text("log")

        server.prepare(data, archive, Target(), {})

        values = dict(line.split(" = ", 1) for line in (data / "postgresql.auto.conf").read_text().splitlines())
        # What PostgreSQL does: unquote, put the names in, hand it to the shell in the data directory.
        command = values["restore_command"][1:-1].replace("''", "'")
        command = command.replace("%%", "\0").replace("%f", "SEGMENT").replace("%p", "there").replace("\0", "%")
        subprocess.run(command, shell=True, check=True, cwd=data)
        assert (data / "there").read_text() == "log"

    def test_what_an_earlier_restore_left_is_replaced(self, tmp_path: Path):
        auto = tmp_path / "postgresql.auto.conf"
        auto.write_text("# kept\nwork_mem = '8MB'\nrecovery_target_xid = '7'\nprimary_conninfo = 'host=elsewhere'\n")
        (tmp_path / "standby.signal").touch()

        server.prepare(tmp_path, tmp_path, Target.parse("0/2A"), {"work_mem": "9MB"})

        text = auto.read_text()
        assert "# kept" in text
        assert "elsewhere" not in text
        assert "8MB" not in text
        assert "recovery_target_xid = ''" in text
        assert (tmp_path / "recovery.signal").exists()
        assert not (tmp_path / "standby.signal").exists()

    def test_archiving_is_withheld_until_it_is_allowed(self, tmp_path: Path):
        server.prepare(tmp_path, tmp_path, Target(), {})
        assert "archive_command = ''" in (tmp_path / "postgresql.auto.conf").read_text()

        assert server.archive_again(tmp_path) is True
        assert "archive_command" not in (tmp_path / "postgresql.auto.conf").read_text()
        assert server.archive_again(tmp_path) is False


class TestCopy:
    def test_a_tree_is_copied_whole(self, tmp_path: Path):
        source, into = tmp_path / "from here", tmp_path / "to there"
        files = {f"a/{n}/file {n}": bytes([n]) * n * 1000 for n in range(50)} | {"empty": b"", "drillmark.json": b"{}"}
        for name, data in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(data)
        (source / "an empty folder").mkdir()
        into.mkdir()

        leave_out = frozenset({"drillmark.json"})
        count = copying.copy_tree(source, into, leave_out=leave_out, jobs=3, progress=Progress(None))

        found = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
        assert found == {name: data for name, data in files.items() if name != "drillmark.json"}
        assert count == sum(map(len, found.values()))
        assert (into / "an empty folder").is_dir()
        assert (into / "empty").stat().st_mode & 0o777 == 0o600

    def test_nothing_is_written_over(self, tmp_path: Path):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").write_text(name)

        with pytest.raises(RecoveryError, match="File exists"):
            copying.copy_tree(tmp_path / "a", tmp_path / "b", leave_out=frozenset(), jobs=1, progress=Progress(None))
        assert (tmp_path / "b" / "file").read_text() == "b"

    def test_without_the_kernels_help_it_is_poured(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def refused(*_: object) -> int:
            raise OSError(18, "another file system")

        monkeypatch.setattr("os.copy_file_range", refused, raising=False)
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
        (tmp_path / "b").mkdir()

        copying.copy_tree(tmp_path / "a", tmp_path / "b", leave_out=frozenset(), jobs=1, progress=Progress(None))

        assert (tmp_path / "b" / "file").read_bytes() == b"x" * 100_000

    def test_links_are_refused(self, tmp_path: Path):
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        (tmp_path / "a" / "link").symlink_to(tmp_path)

        with pytest.raises(RecoveryError, match="link"):
            copying.copy_tree(tmp_path / "a", tmp_path / "b", leave_out=frozenset(), jobs=1, progress=Progress(None))


class TestMarker:
    REQUEST = {"to": "latest", "backups": "/b", "archive": "/a"}

    def put(self, place: Path, run: str | None, report: dict | None = None, boot: str | None = None) -> None:
        place.mkdir(parents=True)
        marker.Marker(run, 1, self.REQUEST, "day-1", boot or clock.boot_id(), report).write(place)

    def test_the_same_request_of_a_run_finds_its_place_again(self, tmp_path: Path):
        place = marker.place_for(tmp_path, "run-1", self.REQUEST)
        self.put(place, "run-1")
        assert marker.place_for(tmp_path, "run-1", self.REQUEST) == place
        assert marker.place_for(tmp_path, "run-1", self.REQUEST | {"to": "0/2A"}) != place
        assert marker.place_for(tmp_path, "run-2", self.REQUEST) != place

    def test_without_a_run_every_place_is_new(self, tmp_path: Path):
        assert marker.place_for(tmp_path, None, self.REQUEST) != marker.place_for(tmp_path, None, self.REQUEST)

    def test_complete_means_reported_and_in_this_boot(self, tmp_path: Path):
        self.put(tmp_path / "restored-a", "run", {"port": 1})
        self.put(tmp_path / "restored-b", "run", None)
        self.put(tmp_path / "restored-c", "run", {"port": 1}, boot="another")
        self.put(tmp_path / "restored-d", "another", {"port": 1})

        found = marker.newest_complete(tmp_path, "run")
        assert found is not None
        assert found[0].name == "restored-a"

    @pytest.mark.parametrize("run", ["run-2", None])
    def test_only_what_this_run_made_is_removed(self, tmp_path: Path, run: str | None):
        self.put(tmp_path / "restored-a", "run-1")
        with pytest.raises(RecoveryError, match="left alone"):
            marker.discard(tmp_path / "restored-a", run)
        assert (tmp_path / "restored-a" / "drillmark.json").exists()

        marker.discard(tmp_path / "restored-a", "run-1")
        assert not (tmp_path / "restored-a").exists()

    def test_a_directory_without_a_marker_is_left_alone(self, tmp_path: Path):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "drillmark.json").write_text('{"run": "run-1"}')
        with pytest.raises(RecoveryError, match="left alone"):
            marker.discard(tmp_path / "data", "run-1")
        assert (tmp_path / "data").exists()


class TestProgress:
    def test_lines_tell_stage_bytes_and_rate(self, tmp_path: Path):
        progress = Progress(tmp_path / "progress.jsonl")
        progress.begin("copy", 1000)
        for _ in range(100):
            progress.add(10)
        progress.end()

        lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
        assert [line["text"] for line in lines] == ["copy begins", "copy done"]
        assert lines[-1]["bytes"] == lines[-1]["bytes_total"] == 1000
        assert lines[-1]["rate_bytes_per_second"] > 0

    def test_a_file_that_cannot_be_written_stops_nothing(self, tmp_path: Path):
        progress = Progress(tmp_path / "no such folder" / "progress.jsonl")
        progress.begin("copy", 1000)
        progress.end()


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90), ("15m", 900), ("1h", 3600), ("2d", 172_800), (5, 5), ("7", 7)]
)
def test_durations(text: str, value: float):
    assert activity.seconds(text) == value


@pytest.mark.parametrize("text", ["", "h", "-1s", "1w", "soon", "nan", "inf", "1e400d"])
def test_what_is_no_duration(text: str):
    with pytest.raises(RecoveryError, match="not a duration"):
        activity.seconds(text)
