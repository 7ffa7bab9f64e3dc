"""The kill matrix: `python tests/crash/kill_matrix.py` kills at every boundary, and goes on where it was stopped.

Results are appended to a file of JSON lines; a case that stands there and held is not measured again. From that file
the page `docs/explanation/kill-matrix.md` is written (`--page`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "crash")]

import page  # noqa: E402
from bench import Bench  # noqa: E402
from cases import Case, everything  # noqa: E402
from measuring import measure  # noqa: E402

from drillmark import files  # noqa: E402

RESULTS = ROOT / ".drillmark" / "kill-matrix.jsonl"
RENEW_EVERY = 15
ATTEMPTS = 4


def main() -> int:
    options = read_options()
    records = files.read_json_lines(options.results)
    if options.page:
        options.page.write_text(page.render(records), encoding="utf-8")
        return 0
    with tempfile.TemporaryDirectory(prefix="drillmark-kill-") as place, Bench(Path(place)) as bench:
        cases = enumerated(bench, records, options.results)
        held = {record["case"] for record in records if "case" in record and not record["problems"]}
        index, count = (int(part) for part in options.shard.split("/"))
        mine = [
            case for number, case in enumerate(cases)
            if number % count == index - 1 and case.name not in held and options.only in f"{case.kind} {case.name}"
        ]  # fmt: skip
        print(f"{len(cases)} cases, {len(held)} held before, {len(mine)} to measure", flush=True)
        red = go_through(bench, mine, options)
    print(page.summary(files.read_json_lines(options.results)))
    return 1 if red else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill the runner, and every process of a run, at every boundary.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are kept, and gone on from")
    parser.add_argument("--shard", default="1/1", help="I/N: the I-th of N parts, to measure them side by side")
    parser.add_argument("--only", default="", help="only cases whose kind or name holds this text")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no case after so long")
    parser.add_argument("--page", type=Path, help="measure nothing; write the page from the results")
    return parser.parse_args()


def enumerated(bench: Bench, records: list[dict[str, Any]], results: Path) -> list[Case]:
    """The cases, from the results where they stand there, else from an undisturbed run of each drill."""
    for record in records:
        if "cases" in record:
            return [Case.from_json(body) for body in record["cases"]]
    passed: dict[str, list[dict[str, Any]]] = {}
    for name, path in bench.drills.items():
        code, output = -1, ""
        for _ in range(ATTEMPTS):  # a busy machine makes one unknown now and then
            code, passed[name], output = bench.start(["run", path, "--json"], [])
            if code in (0, 1):
                break
        else:
            raise SystemExit(f"the undisturbed run of {name} ended with {code}:\n{output}")
    cases = everything(passed)
    append(results, {"cases": [case.as_json() for case in cases]})
    return cases


def go_through(bench: Bench, mine: list[Case], options: argparse.Namespace) -> int:
    """Measure one case after another; how many did not hold."""
    until = time.monotonic() + options.minutes * 60
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    red = 0
    for number, case in enumerate(mine):
        if time.monotonic() > until:
            break
        if number and number % RENEW_EVERY == 0:
            bench.renew_lab()
        record = measure(bench, case) | {"commit": commit}
        append(options.results, record)
        red += bool(record["problems"])
        print(page.line(record), flush=True)
        if record["problems"]:
            bench.renew_lab()
    return red


def append(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    sys.exit(main())
