"""Loads a user's Locust file, unchanged, and turns what can go wrong into one clear sentence with file and line.

Imports Locust, which patches the standard library for gevent: only in a process that exists for the load.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import locust
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

from drillmark.observe.child import ChildError


def load(path: Path) -> list[type[locust.User]]:
    """The user classes of a file.

    Raises:
        ChildError: it is absent, does not import, calls `sys.exit`, defines no user, or brings its own shape.
    """
    if not path.is_file():
        raise ChildError(f"no locustfile {path.name}")
    try:
        classes, shapes = load_locustfile(str(path))
    except SystemExit as error:
        raise ChildError(f"{place(error, path)}: it called sys.exit({error.code})") from None
    except Exception as error:
        raise ChildError(f"{place(error, path)}: {type(error).__name__}: {error}") from error
    if shapes:
        raise ChildError(
            f"{path.name}: it has a LoadTestShape ({type(shapes[0]).__name__}), which a drill does not follow:"
            " its load is steady from baseline to soak, so that the two can be compared",
            hint="take the shape out, or import the users from a file without one",
        )
    if not classes:
        raise ChildError(f"{path.name}: it defines no user class (a subclass of locust.FastHttpUser, say)")
    return list(classes.values())


def environment(
    classes: list[type[locust.User]], path: Path, *, users: int, spawn_rate_per_second: float, host: str | None
) -> Environment:
    """Locust's environment for these users, with the options that a file may look at.

    Configuration files of Locust (`locust.conf`) are not read: the drill says what runs. Raises ChildError.
    """
    arguments = ["--headless", "--users", str(users), "--spawn-rate", str(spawn_rate_per_second)]
    if host:
        arguments += ["--host", host]
    try:
        options = get_parser(default_config_files=[]).parse_args(arguments)
    except SystemExit as error:
        raise ChildError(
            f"{path.name}: locust refused its options (exit {error.code}); its message is in the log"
        ) from None
    try:
        return Environment(
            user_classes=classes,
            locustfile=path.name,
            events=locust.events,
            host=host,
            parsed_options=options,
            stop_timeout=0.0,
        )
    except ValueError as error:
        raise ChildError(f"{path.name}: {error}") from error


def place(error: BaseException, path: Path) -> str:
    """`file:line` of the innermost place in the user's own file or beside it; else the file alone."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    return place_of(error.__traceback__, path)


def place_of(trace: Any, path: Path) -> str:
    """The same, of a traceback."""
    own = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).parent == path.parent]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else path.name
