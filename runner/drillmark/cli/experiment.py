"""`drillmark experiment`: a bare Chaos Toolkit experiment, with the options of `chaos run`. Wires; decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drillmark.cli.run import Duration
from drillmark.errors import UsageError

if TYPE_CHECKING:
    from drillmark.model.plan import Bare

# Chaos Toolkit's own place for them.
SETTINGS = "~/.chaostoolkit/settings.yaml"
_STRATEGIES = (
    "default", "before-method-only", "after-method-only", "during-method-only", "continuously", "continously",
)  # fmt: skip


def _variables(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> list[str]:
    for text in texts:
        name, equals, value = text.partition("=")
        _, _, kind = name.rpartition(":") if ":" in name else ("", "", "str")
        if not equals:
            raise click.BadParameter(f"{text!r} is not of the form name[:type]=value")
        number = {"int": int, "integer": int, "float": float, "number": float}.get(kind, str)
        if kind not in {"str", "string", "int", "integer", "float", "number", "bytes", "bool", "json"}:
            raise click.BadParameter(f"{kind!r} is no type: str, int, float, bytes, bool and json are")
        try:
            number(value)
        except ValueError:
            raise click.BadParameter(f"{value!r} is no {kind}") from None
    return list(texts)


@click.command()
@click.argument("file")
@click.option("--journal-path", default="./journal.json", show_default=True, help="Chaos Toolkit's journal goes here.")
@click.option(
    "--var", "variables", multiple=True, callback=_variables, help="A configuration value: name[:type]=value."
)
@click.option(
    "--var-file",
    "var_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Configuration and secrets (JSON, YAML), or environment variables (.env).",
)
@click.option(
    "--control-file",
    "control_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Controls for the whole run (JSON, YAML).",
)
@click.option(
    "--rollback-strategy",
    type=click.Choice(["always", "default", "deviated", "never"]),
    default="always",
    show_default=True,
    help="When to undo at the experiment's end. A run that is cut short is always undone.",
)
@click.option("--hypothesis-strategy", type=click.Choice(_STRATEGIES), help="When to check the steady state.")
@click.option(
    "--hypothesis-frequency",
    type=float,
    default=1.0,
    show_default=True,
    help="Seconds between two checks during the method.",
)
@click.option("--fail-fast", is_flag=True, help="End at the first check during the method that is missed.")
@click.option(
    "--dry",
    type=click.Choice(["probes", "actions", "activities", "pause"]),
    help="Leave these out. What was left out proves nothing.",
)
@click.option("--settings", type=click.Path(), default=SETTINGS, show_default=True, help="Chaos Toolkit's settings.")
@click.option("--no-validation", is_flag=True, help="Do not validate the experiment.")
@click.option("--no-verify-tls", is_flag=True, help="Load it although the server's certificate is not trusted.")
@click.option("--timeout", type=Duration(), help="Abort the run, and undo its fault, after so long (2h, 90s).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing while it runs.")
@click.pass_context
def command(context: click.Context, file: str, **given: Any) -> None:
    """Run a Chaos Toolkit experiment as it is.

    FILE is a file or an http(s) address, JSON or YAML. The options are those of `chaos run`, and so is the journal;
    the fault is undone whatever happens to the run. The run is kept like one of a drill: `drillmark list`, `show`,
    `resume`, `abort`.
    """
    from drillmark import places

    root = places.for_an_experiment()
    journal = Path(given["journal_path"]).absolute()
    if not journal.parent.is_dir() or journal.is_dir():
        raise UsageError(
            f"the journal cannot be written to {given['journal_path']}", hint="--journal-path names a file in a folder"
        )
    from drillmark.engine import early
    from drillmark.engine.paths import WorkspacePaths

    # Before the engine: it imports Chaos Toolkit meanwhile, where it did not begin to even before this process did.
    limit_seconds = given["timeout"] or early.NO_LIMIT_SECONDS
    begun = early.start(WorkspacePaths(root), file, given["variables"], limit_seconds, context.obj)
    try:
        options = _options(file, journal, given)
        begun.ask(options, given["variables"])
        from drillmark.engine import start

        begun.start_guard()
    except BaseException:
        begun.drop()
        raise
    from drillmark.cli import views
    from drillmark.cli.run import tell_end

    with views.lines(root, quiet=given["as_json"]) as view:
        ended = start.run_bare(begun, options, view=view)
    tell_end(ended, as_json=given["as_json"])
    context.exit(ended.exit_code)


def _options(file: str, journal: Path, given: dict[str, Any]) -> Bare:
    from drillmark.model.plan import Bare

    return Bare(
        source=file,
        folder=str(Path.cwd()),
        journal_path=str(journal),
        settings_path=str(Path(given["settings"]).expanduser().absolute()),
        control_files=[str(Path(path).absolute()) for path in given["control_files"]],
        var_files=[str(Path(path).absolute()) for path in given["var_files"]],
        verify_tls=not given["no_verify_tls"],
        validated=not given["no_validation"],
        rollback_strategy=given["rollback_strategy"],
        hypothesis_strategy=given["hypothesis_strategy"],
        hypothesis_frequency_seconds=given["hypothesis_frequency"],
        fail_fast=given["fail_fast"],
        dry=given["dry"],
    )
