"""The command line: `drillmark`. Each command is a module of its own, imported only when it is run.

Importing this module must stay cheap (click and the error tree, nothing else): `--help` is asked for often.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Never

import click

from drillmark import __version__
from drillmark.errors import EXIT_ABORTED, EXIT_INVALID, DrillmarkError, UsageError

# What a shell reports for a process that wrote into a closed pipe.
EXIT_BROKEN_PIPE = 141
# Objects between two looks for garbage. At Python's 700, a fifth of the time until a run begins goes into looking
# through what was just imported.
_OBJECTS_BEFORE_COLLECTING = 50_000

# Name -> (module, what `drillmark --help` says). A test holds the words against the commands' own help.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Make a workspace: settings, targets, drills, experiments."),
    "new": ("new", "Make a drill from an experiment, by asking."),
    "validate": ("validate", "Check definitions and name every error, with its place."),
    "plan": ("plan", "Show what a drill would do; touch nothing."),
    "run": ("run", "Run a drill and measure what happens."),
    "experiment": ("experiment", "Run a Chaos Toolkit experiment as it is."),
    "import": ("import_journal", "Take in a journal of `chaos run` as a run."),
    "resume": ("resume", "Take up a run whose runner was lost."),
    "abort": ("abort", "Stop a run: its fault is undone first."),
    "approve": ("approve", "Approve a drill that reaches production."),
    "stop": ("stop", "Stop everything: no run begins, every run undoes and ends."),
    "declare": ("declare", "Declare the disaster of a run, as a person who noticed it."),
    "join": ("join", "Load from this machine, as a worker of a drill elsewhere."),
    "worker": ("worker", "Run what the calendar says, alone or as one of many."),
    "list": ("runs", "List the runs of this workspace."),
    "show": ("show", "Show a run's result, or what a number rests on."),
    "compare": ("compare", "Compare two or more runs: what differs first."),
    "report": ("report", "Write a run's report."),
    "measure": ("measure", "Measure and judge a stored run again."),
    "verify": ("verify", "Check that a run's evidence is whole and unchanged."),
    "gaps": ("gaps", "List the gaps that drills have found."),
    "notify": ("notify", "Send a test message to the channels, and say which are dead."),
    "prune": ("prune", "Take away samples and logs of old runs; keep the evidence."),
    "schedule": ("schedule", "Show when drills are due, and why; pause, resume, trigger, export."),
    "discover": ("discover", "List the actions and probes that experiments may use."),
    "schema": ("schema", "Print the JSON Schema of a file that you write."),
    "config": ("config", "Show each setting, its value, and where that came from."),
    "db": ("db", "Drillmark's own database on PostgreSQL: migrate it, check it, back it up."),
    "lab": ("lab", "The embedded lab: a real PostgreSQL with backups."),
}


class ReaderGoneError(Exception):
    """Whoever read the output has gone. Click would end with 1 here, which in Drillmark means "failed"."""


class Drillmark(click.Group):
    """A group that knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"drillmark.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but name the nearest command, and import nothing for it."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "`drillmark --help` lists the commands"
            raise UsageError(f"no such command: {args[0]}", hint=hint)
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """As click does; `--help` prints in here."""
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; commands print in here."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 (click's own signature)
        **extra: Any,
    ) -> Any:
        """Run the command line; every way to fail ends in one exit code and a line that says why."""
        gc.set_threshold(_OBJECTS_BEFORE_COLLECTING)
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, "drillmark", complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except click.ClickException as error:
            _fail(error.format_message(), _usage_hint(error), EXIT_INVALID)
        except DrillmarkError as error:
            _fail(str(error), error.hint, error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            _fail("interrupted", "", EXIT_ABORTED)
        except (ReaderGoneError, BrokenPipeError):
            _leave_quietly()
        except Exception as error:  # noqa: BLE001 (the last resort: told in one line, kept in a file)
            from drillmark.cli import failures

            failures.report(error)
        sys.exit(code if isinstance(code, int) else 0)


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return "" if context is None else f"`{context.command_path} --help` says how"


def _fail(message: str, hint: str, code: int) -> Never:
    from drillmark.cli import failures

    text = failures.error_text(message, hint)
    # If nobody reads stderr any more, the exit code still says it.
    with contextlib.suppress(OSError):
        click.echo(text, err=True)
    sys.exit(code)


def _leave_quietly() -> Never:
    # Python would complain once more when it flushes stdout at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(EXIT_BROKEN_PIPE)


@click.group(
    cls=Drillmark,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="drillmark")
@click.option("--environment", metavar="NAME", help="Take the settings of environments/NAME.yaml.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Change a setting: guard.lease=45s.")
@click.pass_context
def main(context: click.Context, environment: str | None, settings: tuple[str, ...]) -> None:
    """Rehearse disasters and measure what comes of them.

    A drill breaks a system on purpose, recovers it, and measures the observed RTO and RPO against
    what you promised.
    """
    if environment is not None or settings:
        from drillmark import workspace_settings

        workspace_settings.hand_on(environment, settings)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
