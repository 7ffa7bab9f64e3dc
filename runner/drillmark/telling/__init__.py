"""Tells people and machines of drills: notifications, structured logs, OpenTelemetry, and metrics of the worker.

Everything is fed by journal entries through the engine's `View` port. Must never stop or slow a drill: whoever listens
does so in a thread of its own (`beside`), and what fails there is said on the drill's face and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from drillmark.define.settings import Settings
from drillmark.engine.view import View
from drillmark.model.entry import Entry
from drillmark.telling.beside import Listener, Reports
from drillmark.telling.views import Views


def views(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    root: Path,
    face: View,
    before: Sequence[Entry] = (),
    also: Sequence[Listener] = (),
) -> Views:
    """All the views of one run, as a context manager that is itself the view to hand to the engine.

    `face` is what a person sees; `before` are the entries that a run has already that is taken up again; `also` are
    further listeners (the worker's metrics). Raises UsageError, before anything is begun, where the settings ask for
    what is not installed or name a variable that is not set.
    """
    del settings, environment, root, before  # nothing that they ask for is built yet
    return Views(face, also, Reports())
