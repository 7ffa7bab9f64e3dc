"""The error tree: what Drillmark says when something is wrong, with a code and a hint.

Every error that a user can meet is a `DrillmarkError`. Its text says in lower case what is wrong;
`hint` says what to do. `exit_code` is the process's exit code, as `docs/reference/exit-codes.md` lists them.
Nothing here imports another part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EXIT_PASSED = 0
EXIT_FAILED = 1
EXIT_INVALID = 2
EXIT_ABORTED = 3
EXIT_UNKNOWN = 4
EXIT_INTERNAL = 5


class DrillmarkError(Exception):
    """Something that Drillmark can name.

    Attributes:
        code: a stable identifier, `kebab-case`, for machines and for searching.
        hint: one sentence that says what to do, or an empty string.
        exit_code: the exit code of the process that ends with this error.
    """

    code = "error"
    exit_code = EXIT_INTERNAL

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if code is not None:
            self.code = code


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in what a user wrote.

    `line` and `column` count from 1; 0 means the whole file.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}" + (f"\n  HINT: {self.hint}" if self.hint else "")


class InvalidDefinitionError(DrillmarkError):
    """What a user wrote is wrong. Carries every problem found, not only the first."""

    code = "invalid-definition"
    exit_code = EXIT_INVALID

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class UsageError(DrillmarkError):
    """The command was given something that it cannot work with (a run that does not exist, say)."""

    code = "usage"
    exit_code = EXIT_INVALID


class RefusedError(DrillmarkError):
    """A drill was not started, or an effect not begun: target busy, no approval, not yet supported."""

    code = "refused"
    exit_code = EXIT_ABORTED


class StaleEpochError(DrillmarkError):
    """Another runner or the guard has taken the run over: this one must stop and touch nothing."""

    code = "stale-epoch"
    exit_code = EXIT_ABORTED


class JournalError(DrillmarkError):
    """The journal cannot be written or read."""

    code = "journal"


class DatabaseError(JournalError):
    """The database behind DRILLMARK_DATABASE_URL cannot be used; `code` says why.

    `database-unreachable`, `database-empty` (never migrated), `database-older` (than this Drillmark needs),
    `database-newer` (than this Drillmark understands), `database` (anything else that it says).
    """

    code = "database"


class UndoFileError(DrillmarkError):
    """The undo file cannot be written or read. No new effect may begin."""

    code = "undo-file"


class SampleFileError(DrillmarkError):
    """A sample file cannot be read at all (a torn tail is not an error)."""

    code = "sample-file"


class GapRegisterError(DrillmarkError):
    """Files of the gap register cannot be read. They were left as they are.

    Attributes:
        problems: each broken file, with line and column where they are known.
        gaps: what was filed all the same (`model.gap.Gap`).
    """

    code = "gap-register"
    exit_code = EXIT_INVALID

    def __init__(self, problems: list[Problem], *, gaps: list[Any] | None = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.gaps = gaps or []


class LabError(DrillmarkError):
    """The embedded lab cannot be started, stopped or reached."""

    code = "lab"


class RecoveryError(DrillmarkError):
    """A backup, its log or a restored system is not what it has to be; the text names what and where."""

    code = "recovery"
    exit_code = EXIT_FAILED
