"""The embedded system under test: real PostgreSQL with backups and archive, an order service, a supervisor.

Everything lies in one directory and listens on the loopback only; several labs live side by side.
Must import nothing of the engine.
"""

from drillmark.lab.api import down, status, up
from drillmark.lab.state import LabState

__all__ = ["LabState", "down", "status", "up"]
