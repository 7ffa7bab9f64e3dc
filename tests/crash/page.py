"""What the kill matrix found, as a page and as lines for a terminal. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

HEAD = """# The kill matrix, as measured

`make test-crash` kills the runner with `kill -9` at every boundary of two short drills, each other process of a run once
in every phase, and two of them in one run. Then `drillmark resume` takes the run up, and everything is looked at. How it
is done, and what must hold, stands in [crash safety](crash-safety.md).

"""


_FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/;:|]+/)+")


def measured(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last record of each case; one whose point was never passed (the drill ended earlier) shows nothing."""
    return list(
        {
            record["case"]: record
            for record in records
            if "case" in record and not any(problem.startswith("not reached") for problem in record["problems"])
        }.values()
    )


def total(records: list[dict[str, Any]]) -> int:
    return next((len(record["cases"]) for record in records if "cases" in record), 0)


def interval(observed: dict[str, Any] | None) -> str:
    if observed is None:
        return "-"
    hi = "" if observed["hi"] is None else f"{observed['hi']:.1f}"
    return f"{observed['lo'] or 0:.1f} to {hi or 'unbounded'}"


def truth(record: dict[str, Any], name: str) -> str:
    bounds = record["truth"].get(name)
    if bounds is None:
        return "-"
    return f"{bounds[0]:.1f} to {bounds[1]:.1f}" if bounds[1] < 1e8 else f"{bounds[0]:.1f} or more"


def line(record: dict[str, Any]) -> str:
    """A case in one line."""
    held = "held" if not record["problems"] else "RED " + " | ".join(record["problems"])
    return (
        f"{record['seconds']:6.1f} s  {record['case']} [{record['row']}]: {record['did']} -> {record['verdict']},"
        f" RTA {interval(record['rta'])} ({truth(record, 'rta')}), RPA {interval(record['rpa'])}"
        f" ({truth(record, 'rpa')}): {held}"
    )


def summary(records: list[dict[str, Any]]) -> str:
    """How many were measured, and how many held."""
    done = measured(records)
    red = [record for record in done if record["problems"]]
    kinds = Counter(record["kind"] for record in done)
    words = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(done)} of {total(records)} cases measured ({words}); {len(done) - len(red)} held, {len(red)} did not"


def render(records: list[dict[str, Any]]) -> str:
    """The page."""
    done = sorted(measured(records), key=lambda record: record["case"])
    dates = sorted(record["at"][:10] for record in done)
    commits = ", ".join(dict.fromkeys(f"`{record['commit']}`" for record in sorted(done, key=lambda one: one["at"])))
    span = dates[0] if dates and dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}" if dates else "never"
    seconds = sorted(record["seconds"] for record in done)
    text = HEAD + f"{summary(records)}. Measured {span}, on commit {commits}"
    text += f"; a case took {seconds[len(seconds) // 2]:.0f} s in the middle.\n\n" if seconds else ".\n\n"
    text += (
        "*Interval* is what the run reported, in seconds; *truth* is what an observer saw that knew nothing of the kill."
        "\nThe two must be able to hold the same number; `-`: the run reports none, and does not pass.\n"
    )
    for drill in dict.fromkeys(record["case"].split(":")[0] for record in done):
        text += f"\n## {drill}\n\n"
        text += (
            "| killed | row of the crash table | what was done then | verdict | RTA (truth) | RPA (truth) | held |\n"
        )
        text += "| --- | --- | --- | --- | --- | --- | --- |\n"
        for record in done:
            if record["case"].startswith(f"{drill}:"):
                text += _row(record)
    return text


def _row(record: dict[str, Any]) -> str:
    cells = [
        record["case"].split(": ", 1)[1], record["row"], record["did"], record["verdict"] or "none",
        f"{interval(record['rta'])} ({truth(record, 'rta')})", f"{interval(record['rpa'])} ({truth(record, 'rpa')})",
        "yes" if not record["problems"] else "**no**: " + "; ".join(record["problems"]),
    ]  # fmt: skip
    # Where a machine keeps its files is nobody's business.
    cells = [_FOLDERS.sub("", cell) for cell in cells]
    escaped = (cell.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")[:400] for cell in cells)
    return f"| {' | '.join(escaped)} |\n"
