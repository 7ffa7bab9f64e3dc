"""`drillmark config`: every setting with its value, and where that came from."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import click

from drillmark.cli import terminal


@click.command()
@click.option("--changed", is_flag=True, help="Only values that differ from the default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, changed: bool, as_json: bool) -> None:
    """Show each setting, its value, and where that came from.

    A file with its line, a variable, a flag, or the default. `drillmark --environment NAME config` shows an
    environment's.
    """
    from drillmark import workspace, workspace_settings
    from drillmark.define import layers
    from drillmark.errors import InvalidDefinitionError
    from drillmark.workspace_files import Files

    root = workspace.find()
    environment = workspace_settings.chosen(root)
    found = workspace_settings.read(Files(root), environment)
    parsed = layers.combine(found)
    if parsed.problems:
        raise InvalidDefinitionError(parsed.problems)
    shown = [
        {"key": each.key, "value": _safe(each.value), "source": each.source}
        for each in layers.explain(found)
        if not changed or not each.as_default
    ]
    shown = [
        each for each in _around(str(root), environment) if not changed or each["source"] != layers.DEFAULT
    ] + shown
    if as_json:
        terminal.echo_json(shown)
        return
    rows = [[each["key"], _text(each["value"]), each["source"]] for each in shown]
    for number, line in enumerate(terminal.table(rows, ["setting", "value", "from"])):
        terminal.echo_lines([(line, "head" if number == 0 else "")])


def _around(root: str, environment: str) -> list[dict[str, Any]]:
    """What is no setting of a file: where everything is. No password is shown."""
    from drillmark import workspace_settings
    from drillmark.database import address
    from drillmark.define.layers import DEFAULT

    def named(variable: str) -> str:
        return variable if os.environ.get(variable) else DEFAULT

    url = address.configured()
    artifacts = os.environ.get("DRILLMARK_ARTIFACTS")
    return [
        {"key": "workspace", "value": root, "source": named("DRILLMARK_WORKSPACE")},
        {"key": "environment", "value": environment or None, "source": named(workspace_settings.ENVIRONMENT)},
        {"key": "database", "value": address.without_secrets(url) if url else None, "source": named(address.URL)},
        {"key": "artifacts", "value": artifacts, "source": named("DRILLMARK_ARTIFACTS")},
    ]


def _safe(value: Any) -> Any:
    """Without what may be secret in an address: of a web address the host is shown, of others their kind alone."""
    if isinstance(value, dict):
        return {key: _safe(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_safe(one) for one in value]
    if not isinstance(value, str) or "://" not in value:
        return value
    scheme, _, rest = value.partition("://")
    if scheme not in ("http", "https"):
        return f"{scheme}://***"
    # Whatever follows the host, if only after a `?`: tokens stand there.
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    return f"{scheme}://{host.rpartition('@')[2]}" + ("/***" if rest.removeprefix(host).strip("/") else "")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
