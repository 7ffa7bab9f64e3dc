"""Where things lie in a lab's directory. Paths only: reads and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DATABASE = "orders"
APPLICATION_ROLE = "orders"
ADMIN_ROLE = "postgres"
SERVICE = "orders"
ADMIN_SERVICE = "orders-admin"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one lab. `directory` is absolute."""

    directory: Path

    @property
    def record(self) -> Path:
        """What the lab is: `lab.json`."""
        return self.directory / "lab.json"

    @property
    def lock(self) -> Path:
        """Held by the living supervisor."""
        return self.directory / "supervisor.lock"

    @property
    def control_link(self) -> Path:
        """A link to the short folder of the control socket: where to look should the record be lost."""
        return self.directory / "control"

    @property
    def aside(self) -> Path:
        """Where a fault moves a data directory that it takes away: same file system, gone with the lab."""
        return self.directory / "aside"

    @property
    def archiver(self) -> Path:
        """The lab's own copy of the archive command: PostgreSQL runs it as long as the lab is there."""
        return self.directory / "archive_wal.py"

    @property
    def clusters(self) -> Path:
        """Data directories, one for each cluster."""
        return self.directory / "clusters"

    @property
    def backups(self) -> Path:
        """Complete base backups; names begin with a dot until they are complete."""
        return self.directory / "backups"

    @property
    def archive(self) -> Path:
        """Archived WAL."""
        return self.directory / "archive"

    @property
    def logs(self) -> Path:
        """Logs of the servers, the service and the supervisor."""
        return self.directory / "logs"

    @property
    def service_file(self) -> Path:
        """The libpq service file: a switch-over is its atomic rewrite."""
        return self.directory / "service" / "pg_service.conf"

    @property
    def password_file(self) -> Path:
        """The libpq password file (0600)."""
        return self.directory / "service" / "pgpass"

    def folders(self) -> tuple[Path, ...]:
        """Every folder that a lab has from the beginning."""
        return self.clusters, self.aside, self.backups, self.archive, self.logs, self.service_file.parent
