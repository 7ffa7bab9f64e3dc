"""The libpq service file: the one place that says which cluster serves. A switch-over is its atomic rewrite."""

from __future__ import annotations

from drillmark import files, postgres
from drillmark.lab.layout import ADMIN_ROLE, ADMIN_SERVICE, APPLICATION_ROLE, DATABASE, SERVICE, Layout


def point(layout: Layout, port: int) -> None:
    """Let both libpq services lead to the server on `port`: atomically, so new connections go one way or the other."""
    # What the user's own PGSSLMODE and the like would change is said here, where it wins.
    fixed = f"host=127.0.0.1\nport={port}\ndbname={DATABASE}\nsslmode=disable\ngssencmode=disable\n"
    sections = [
        f"[{name}]\n{fixed}user={role}\npassfile={layout.password_file}\n"
        for name, role in ((SERVICE, APPLICATION_ROLE), (ADMIN_SERVICE, ADMIN_ROLE))
    ]
    files.write_durably(layout.service_file, "\n".join(sections))
    postgres.hand_over(layout.service_file)
