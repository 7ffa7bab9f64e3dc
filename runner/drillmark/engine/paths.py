"""Where things lie in a workspace and in a run's directory. Names only; nothing is read or written here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drillmark import places


@dataclass(frozen=True, slots=True)
class WorkspacePaths:
    """A workspace's own folder for what is not declared: journal, locks, the kill switch.

    A folder without `drillmark.yaml`, in which bare experiments run, has all that it has in there.
    """

    root: Path

    @property
    def reports(self) -> Path:
        """Where runs, gaps and templates are."""
        return places.reports_of(self.root)

    @property
    def journal(self) -> Path:
        """The journal of all runs."""
        return self.root / ".drillmark" / "journal.sqlite3"

    @property
    def abort(self) -> Path:
        """While this file exists, every run of the workspace stops; its content is the reason."""
        return self.root / ".drillmark" / "abort"

    @property
    def locks(self) -> Path:
        """A lock file for each target."""
        return self.root / ".drillmark" / "locks"

    @property
    def runs(self) -> Path:
        """A directory for each run."""
        return self.reports / "runs"


@dataclass(frozen=True, slots=True)
class RunPaths:
    """A run's directory."""

    directory: Path

    @property
    def plan(self) -> Path:
        """The plan, canonical JSON."""
        return self.directory / "plan.json"

    @property
    def undo(self) -> Path:
        """The undo file U."""
        return self.directory / "undo.json"

    @property
    def epoch(self) -> Path:
        """Which runner may act."""
        return self.directory / "epoch"

    @property
    def lock(self) -> Path:
        """Held shared while an effect is performed, exclusively by who takes over."""
        return self.directory / "lock"

    @property
    def lease(self) -> Path:
        """Renewed by the runner; the guard acts when it runs out."""
        return self.directory / "lease"

    @property
    def guard_config(self) -> Path:
        """What the guard must know."""
        return self.directory / "guard.config.json"

    @property
    def guard_stop(self) -> Path:
        """Tells the guard that nothing is in effect any more."""
        return self.directory / "guard.stop"

    @property
    def guard_log(self) -> Path:
        """The guard's own log."""
        return self.directory / "guard.jsonl"

    @property
    def watch_log(self) -> Path:
        """What the watcher saw of the drill's guards: a line for each change."""
        return self.directory / "watch.jsonl"

    @property
    def abort(self) -> Path:
        """Asks this run to stop; JSON with `by` and `reason`."""
        return self.directory / "abort"

    @property
    def declaration(self) -> Path:
        """A person declared the disaster; JSON with `by`, `reason` and the stamp."""
        return self.directory / "declaration.json"

    @property
    def alerts(self) -> Path:
        """What the alert receiver received, JSON lines."""
        return self.directory / "alerts.jsonl"

    @property
    def events(self) -> Path:
        """The chaos child's event log E."""
        return self.directory / "chaos" / "events.jsonl"

    @property
    def chaos_journal(self) -> Path:
        """The journal that Chaos Toolkit itself writes."""
        return self.directory / "chaos" / "journal.json"

    @property
    def loaded(self) -> Path:
        """What the chaos child says of the bare experiment that it has loaded."""
        return self.directory / "chaos" / "loaded.json"

    @property
    def chaos_log(self) -> Path:
        """What the chaos children printed."""
        return self.directory / "chaos" / "child.log"

    @property
    def progress(self) -> Path:
        """What recovery activities say of their progress."""
        return self.directory / "progress.jsonl"

    @property
    def journal(self) -> Path:
        """The journal as JSON lines, written at the end."""
        return self.directory / "journal.jsonl"

    @property
    def unsent(self) -> Path:
        """What happened while the journal could not be written, JSON lines; `resume` hands it in."""
        return self.directory / "unsent.jsonl"

    @property
    def result(self) -> Path:
        """The result."""
        return self.directory / "result.json"

    @property
    def source(self) -> Path:
        """What was in the backup store when a simulated disaster was declared."""
        return self.directory / "source.json"

    def sample(self, name: str) -> Path:
        """A sample file by its short name: beats, side, load, load-users, ledger, survivors, positions."""
        return self.directory / "samples" / f"{name}.dms"

    def load_parts(self) -> list[Path]:
        """The sample files that workers of the load have written so far, and what their clocks said."""
        return [*sorted((self.directory / "samples").glob("load-*[0-9].dms")), self.sample("load-clocks")]

    def child(self, role: str, suffix: str) -> Path:
        """A file of an observer or load child: `json` (its status), `config.json`, `go`, `log`."""
        return self.directory / "children" / f"{role}.{suffix}"
