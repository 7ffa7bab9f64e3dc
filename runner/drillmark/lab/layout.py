"""Where things lie in a lab's directory, and the atomic write that they share."""

from __future__ import annotations

import os
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
        return self.clusters, self.backups, self.archive, self.logs, self.service_file.parent


def write_atomically(path: Path, text: str) -> None:
    """Replace a file (0600) in one step that survives a crash of this process or of the machine."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    fsync_folder(path.parent)


def fsync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
