"""Tells people and machines of drills: notifications, structured logs, OpenTelemetry, and metrics of the worker.

Everything is fed by journal entries through the engine's `View` port. Must never stop or slow a drill: whoever listens
does so in a thread of its own (`beside`), and what fails there is said on the drill's face and nowhere else.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from drillmark.define.settings import Settings
from drillmark.engine.paths import WorkspacePaths
from drillmark.engine.view import View
from drillmark.model import trace
from drillmark.model.entry import Entry
from drillmark.telling import posting
from drillmark.telling.beside import Listener, Reports
from drillmark.telling.news import Message, approval_wanted, overdue
from drillmark.telling.notifier import Notifier
from drillmark.telling.views import Views

__all__ = ["Message", "Views", "approval_wanted", "is_due", "keep", "overdue", "tell", "views"]

_TELL_SECONDS = 30.0


def views(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    root: Path,
    face: View,
    before: Sequence[Entry] = (),
    also: Sequence[Listener] = (),
    on_outcome: posting.OnOutcome | None = None,
) -> Views:
    """All the views of one run, as a context manager that is itself the view to hand to the engine.

    `face` is what a person sees; `before` are the entries that a run has already that is taken up again; `also` are
    further listeners, and `on_outcome` hears how each message to a channel went (the worker's metrics). Never raises:
    a channel that cannot be told, or what is not installed, is said on the face.
    """
    reports = Reports()
    runs = WorkspacePaths(root).runs
    listeners = list(also)
    outcomes = [on_outcome] if on_outcome is not None else []
    if settings.logs.to is not None:
        with _said(reports, "the log"):
            from drillmark.telling.logs import Log  # noqa: PLC0415 - not everybody has the extra

            log = Log(settings.logs, root, before)
            listeners.append(log)
            outcomes.append(log.told)
    if trace.is_on(environment):
        with _said(reports, "OpenTelemetry"):
            from drillmark.telling.opentelemetry import OpenTelemetry  # noqa: PLC0415

            listeners.append(OpenTelemetry(environment, runs, before, reports))
    if settings.notifications.channels:
        around = posting.around(root, settings.notifications, environment, reports, _each(outcomes))
        # First, so that it has told before a log of its messages is closed.
        listeners.insert(0, Notifier(posting.Posts(settings.notifications, around), runs, before))
    return Views(face, listeners, reports)


@contextmanager
def _said(reports: Reports, name: str) -> Generator[None]:
    """What is not installed, or cannot be opened, is said, and the drill goes on without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        reports.add(f"{name} is left out: {error.name} is not installed: pip install 'drillmark[telling]'")
    except Exception as error:  # noqa: BLE001 - settings of foreign libraries, files that cannot be written
        reports.add(f"{name} is left out: {type(error).__name__}: {error}")


def _each(outcomes: Sequence[posting.OnOutcome]) -> posting.OnOutcome:
    def told(channel: str, message: Message, outcome: posting.Outcome, reason: str) -> None:
        for one in outcomes:
            one(channel, message, outcome, reason)

    return told


def is_due(settings: Settings, *, root: Path) -> bool:
    """Whether something waits that may be sent now."""
    around = posting.around(root, settings.notifications, {}, Reports())
    return any(
        not around.holds_back(message)
        for channel in settings.notifications.channels
        for message in around.waiting.of(channel.name)
    )


def keep(
    settings: Settings, messages: Sequence[Message], *, root: Path, on_outcome: posting.OnOutcome | None = None
) -> None:
    """Let messages wait on disk, whatever becomes of this process, until `tell` or a run sends them. Raises OSError."""
    around = posting.around(root, settings.notifications, {}, Reports(), on_outcome)
    for channel in settings.notifications.channels:
        wanted = [message for message in messages if posting.wants(channel, message)]
        around.waiting.add(channel.name, wanted)
        for message in filter(around.holds_back, wanted):
            around.on_outcome(channel.name, message, "waiting", "")


def tell(
    settings: Settings,
    environment: Mapping[str, str],
    messages: Sequence[Message],
    *,
    root: Path,
    on_outcome: posting.OnOutcome | None = None,
) -> list[str]:
    """Tell channels of what belongs to no run (an approval is wanted, a drill is overdue); also what waited is sent.

    Waits for at most half a minute, and returns what could not be told, each with the channel's name and the reason.
    With no messages it only sends what waits and is due.
    """
    reports = Reports()
    around = posting.around(root, settings.notifications, environment, reports, on_outcome)
    posts = posting.Posts(settings.notifications, around)
    for message in messages:
        posts.put(message)
    posts.close(_TELL_SECONDS)
    return reports.take()
