"""`drillmark measure`: a stored run, measured and judged again from its journal and samples. Writes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from drillmark.cli import terminal
from drillmark.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from drillmark.cli.stored import StoredRun

_SHOWN = 20
# What a later day may rightly see otherwise: gaps live on after the run.
_NOT_MEASURED = ("gaps",)


@click.command()
@click.argument("run", default="last")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the result, and where it differs.")
@click.pass_context
def command(context: click.Context, run: str, *, as_json: bool) -> None:
    """Measure and judge a stored run again.

    RUN is its id, the beginning of it, `last`, or the folder where it lies. Says whether the result equals the one
    stored with the run; exits with 1 where it does not. Nothing is written, no gap is filed.
    """
    from drillmark.cli import called, stored
    from drillmark.report import files, sentences

    found = stored.find(run)
    pruned = [name for entry in found.entries if entry.data.get("what") == "pruned" for name in entry.data["files"]]
    if any(not (found.directory / str(name)).exists() for name in pruned):
        raise UsageError(
            f"the samples of run {found.run} were pruned: there is nothing left to measure",
            hint=f"`drillmark show {found.run}` shows its result, `drillmark verify` checks the evidence",
        )
    before = files.read(found.directory)
    result = again(found, before)
    differ = None if before is None else differences(before, result)
    if as_json:
        terminal.echo_json(
            {"equal": None if differ is None else not differ, "differences": differ or [], "result": result}
        )
    else:
        terminal.echo_lines(sentences.summary(result, command=called.command()))
        terminal.echo_lines(_compared(differ))
    if differ:
        context.exit(EXIT_FAILED)


def again(found: StoredRun, before: dict[str, Any] | None) -> dict[str, Any]:
    """The result document of a stored run, measured now. Gaps are taken from the stored one."""
    from drillmark import judge, measure, runs
    from drillmark.journal.entries import concluded
    from drillmark.report import document, files

    plan = runs.read_plan(found.directory)
    evidence = runs.read_evidence(found.directory, plan, concluded(found.entries))
    measurements = measure.measure(evidence)
    verdict = judge.judge(evidence, measurements)
    # Through JSON, as the stored one went: what is compared is what would be written.
    result: dict[str, Any] = json.loads(files.to_json(document.build(plan, evidence.entries, measurements, verdict)))
    return result | {"gaps": before["gaps"] if before else []}


def differences(stored: Any, now: Any, path: str = "") -> list[str]:
    """Where two documents differ: `path: stored -> now`, exactly, number by number."""
    if path in _NOT_MEASURED:
        return []
    if isinstance(stored, dict) and isinstance(now, dict):
        found: list[str] = []
        for key in dict.fromkeys([*stored, *now]):
            below = f"{path}.{key}" if path else str(key)
            found += differences(stored.get(key), now.get(key), below)
        return found
    if isinstance(stored, list) and isinstance(now, list) and len(stored) == len(now):
        return [
            text for n, pair in enumerate(zip(stored, now, strict=True)) for text in differences(*pair, f"{path}[{n}]")
        ]
    return [] if stored == now and type(stored) is type(now) else [f"{path}: {_short(stored)} -> {_short(now)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004


def _compared(differ: list[str] | None) -> list[tuple[str, str]]:
    from drillmark.report import words

    if differ is None:
        return [("", ""), ("there is no stored result to compare with", "doubt")]
    if not differ:
        return [("", ""), ("equal to the stored result, number by number", "good")]
    places = words.plural(len(differ), "place")
    lines: list[tuple[str, str]] = [("", ""), (f"differs from the stored result in {places}:", "bad")]
    lines += [(f"  {words.harmless(text)}", "bad") for text in differ[:_SHOWN]]
    return lines if len(differ) <= _SHOWN else [*lines, (f"  and {len(differ) - _SHOWN} more", "dim")]
