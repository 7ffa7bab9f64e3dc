"""Appends a run's end to the summary of a GitHub Actions step. Must never change how the command ends."""

from __future__ import annotations

import os
from typing import Any

import click

VARIABLE = "GITHUB_STEP_SUMMARY"


def append(document: dict[str, Any]) -> None:
    """Append the summary of a result, where the environment names a file for it. What goes wrong is a warning."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    try:
        from drillmark.report import step_summary

        text = step_summary.render(document)
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run's own result stands
        click.echo(f"warning: the step summary could not be written: {type(error).__name__}: {error}", err=True)
