"""Our child against `chaos run --rollback-strategy=always`: the same experiments, the same journal.

It is asked for each as in a drill, and as `drillmark experiment` asks it.

Where the two differ, `docs/reference/deviations.md` says so, and says why; nothing else may differ, and nothing may
be listed that does not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comparing import DEVIATIONS, FIELDS, ROOT, differences, listed, seen
from doubles import Answer, VaultStandIn, serving

from chaos_helpers import FUNCTIONS
from drillmark.chaos import read_events
from waiting import until

EXPERIMENTS = sorted(path for path in (Path(__file__).parent / "experiments").iterdir() if path.is_file())
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where both ways leave what they did, for every experiment; they are run one after the other, meanwhile."""
    directory = tmp_path_factory.mktemp("pairs")
    with serving(Answer) as address, serving(VaultStandIn) as vault:
        variables = {
            **FUNCTIONS,
            "CONFORMANCE_URL": address,
            "CONFORMANCE_TOKEN": "tok-8f3a9c77d1",
            "CONFORMANCE_NUMBER": "17",
            "CONFORMANCE_JSON": '{"a": [1, 2]}',
            "CONFORMANCE_VAULT": vault,
            "CONFORMANCE_VAULT_TOKEN": VaultStandIn.TOKEN,
            "CONFORMANCE_VAULT_ROLE": VaultStandIn.ROLE_ID,
            "CONFORMANCE_VAULT_SECRET": VaultStandIn.SECRET_ID,
        }
        work = [
            {"name": path.stem, "experiment": str(path), "options": [], "environment": variables}
            for path in EXPERIMENTS
        ]
        (directory / "work.json").write_text(json.dumps(work))
        script = Path(__file__).with_name("chaos_runs.py")
        with (directory / "log").open("wb") as log:
            command = [sys.executable, str(script), str(directory)]
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **variables})
        yield directory
        process.kill()
        process.wait()


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda path: path.stem)
def test_it_goes_as_with_chaos_run(experiment: Path, pairs: Path) -> None:
    place = pairs / experiment.stem
    until((place / "done").exists, seconds=PATIENCE_SECONDS)
    one = seen(_read(place / "theirs" / "journal.json"), place / "theirs")
    for side in ("drill", "bare"):
        other = seen(_read(place / side / "chaos" / "journal.json"), place / side)
        found = differences(one, other, read_events(place / side / "chaos" / "events.jsonl"))
        assert found == listed(side).get(experiment.stem, set()), (side, _told(place, one, other, found))


def _read(journal: Path) -> dict[str, Any] | None:
    # Chaos Toolkit writes at the end, all at once, and breaks off where a value is no JSON: that is no journal either.
    try:
        return json.loads(journal.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _told(place: Path, one: dict[str, Any], other: dict[str, Any], found: set[str]) -> str:
    parts = {field: {"theirs": one.get(field), "ours": other.get(field)} for field in found}
    logs = [path for path in sorted(place.rglob("*")) if path.name in ("log", "child.log", "refused", "events.jsonl")]
    said = "\n".join(f"-- {path.relative_to(place)}\n{path.read_text()[-3000:]}" for path in logs)
    return f"they differ in {sorted(found)}: {json.dumps(parts, indent=1)}\n{said}"


def test_the_list_names_what_there_is() -> None:
    for side in ("drill", "bare"):
        assert listed(side), "the table cannot be read"
        assert set(listed(side)) <= {path.stem for path in EXPERIMENTS}
        for fields in listed(side).values():
            assert fields <= FIELDS


def test_it_matters_which_of_the_two_left_no_journal() -> None:
    journal = {"status": "completed"}
    assert differences({}, journal, []) == {"theirs has none"}
    assert differences(journal, {}, []) == {"ours has none"}
    assert differences({}, {}, []) == set()


def test_the_set_is_broad() -> None:
    assert len(EXPERIMENTS) >= 60


def test_what_the_list_says_of_tests_is_there() -> None:
    text = DEVIATIONS.read_text(encoding="utf-8")
    names = set(re.findall(r"`(test_[a-z_]+)`", text))
    assert len(names) >= 5
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    missing = [name for name in names if f"def {name}(" not in tests]
    assert not missing
