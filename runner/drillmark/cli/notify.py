"""`drillmark notify`: a test message to the channels, which shows whether they are there."""

from __future__ import annotations

import os

import click


@click.command()
@click.argument("names", metavar="[CHANNEL]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, names: tuple[str, ...], *, as_json: bool) -> None:
    """Send a test message to the channels, and say which are dead.

    CHANNEL is the name of one in drillmark.yaml; all of them unless given. Quiet hours and `on` do not matter here.
    Exits with 1 where a channel could not be told.
    """
    from drillmark import workspace
    from drillmark.cli import terminal
    from drillmark.define.nearest import hint_for
    from drillmark.errors import EXIT_FAILED, UsageError
    from drillmark.telling.channels import Address, DeadChannelError
    from drillmark.telling.news import Message

    channels = {channel.name: channel for channel in workspace.load_settings(workspace.find()).notifications.channels}
    if not channels:
        raise UsageError("there are no channels", hint="list some under `notifications.channels` in drillmark.yaml")
    for name in names:
        if name not in channels:
            raise UsageError(f"there is no channel {name!r}", hint=hint_for(name, channels))
    message = Message("end", "this is a test", "If you can read this, you will hear of drills.")
    problems: dict[str, str] = {}
    for name in names or channels:
        try:
            Address(channels[name], os.environ).send(message)
            problems[name] = ""
        except DeadChannelError as error:
            problems[name] = str(error)
        if not as_json:
            click.echo(f"{name}: NOT told: {problems[name]}" if problems[name] else f"{name}: told")
    if as_json:
        terminal.echo_json([{"channel": name, "error": error} for name, error in problems.items()])
    context.exit(EXIT_FAILED if any(problems.values()) else 0)
