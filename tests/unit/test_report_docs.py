"""The reference pages for commands, results, exit codes, journal and gaps, held against the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import report_builders as build
from drillmark import cli, errors
from drillmark.journal.entries import to_line
from drillmark.model.entry import Effect, Entry, Kind, Status
from drillmark.model.gap import Gap, Occurrence
from drillmark.model.verdict import Outcome
from drillmark.report.stamp_words import MEANINGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = heading.split(" ", maxsplit=1)[0]
    begin = text.index(heading + "\n") + len(heading)
    end = re.search(rf"^#{{1,{len(level)}}} ", text[begin:], re.MULTILINE)
    return text[begin : begin + end.start()] if end else text[begin:]


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in cli.COMMANDS:
        command = cli.main.get_command(click.Context(cli.main), name)
        if isinstance(command, click.Group):
            found += [(name, command)] if command.invoke_without_command else []
            found += [(f"{name} {sub}", each) for sub, each in command.commands.items()]
        else:
            found.append((name, command))
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_every_command_option_and_choice_is_on_its_page(name, command):
    text = section(page("cli"), f"### `drillmark {name}`")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert any(option in text for option in parameter.opts if option.startswith("--")), parameter.opts
        else:
            assert parameter.make_metavar(click.Context(command)).strip("[].").split("|")[0] in text
        if isinstance(parameter.type, click.Choice):
            assert all(choice in text for choice in parameter.type.choices)


def test_the_page_has_no_command_and_no_option_that_is_not_there():
    text = page("cli")
    assert re.findall(r"^### `drillmark (.+)`$", text, re.MULTILINE) == sorted(
        (name for name, _ in commands()), key=lambda name: text.index(f"### `drillmark {name}`")
    )
    every = [cli.main, *(command for _, command in commands())]
    known = {option for command in every for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", text)) <= known | {"--help", "--version", "--no-install"}  # of chaos itself


def test_every_exit_code_is_explained():
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {int(code) for code in re.findall(r"^\| (\d) \|", page("exit-codes"), re.MULTILINE)} == codes
    assert str(cli.EXIT_BROKEN_PIPE) in page("exit-codes")


SCHEMA = json.loads((ROOT / "schemas/result.json").read_text())


def test_every_field_of_the_result_is_on_its_page():
    text = page("result")
    top = quoted(section(text, "## Fields").split("### ")[0])
    assert set(SCHEMA["properties"]) <= top
    parts = {
        "### `rto`, `rpo`": ["objective"],
        "### `objectives`": ["judged"],
        "### `durations`": ["duration"],
        "### `timeline`": ["step", "part"],
        "### `slo`": ["phase", "indicator"],
        "### `detection`": ["detection", "noted"],
        "### `writes`": ["writes"],
        "### `writers`": ["writer"],
        "### `gaps`": ["gap"],
        "### `cited`": ["cited"],
    }
    for heading, names in parts.items():
        words = quoted(section(text, heading))
        for name in names:
            assert set(SCHEMA["$defs"][name]["properties"]) <= words, heading
    evidence = SCHEMA["properties"]["evidence"]["properties"]
    assert set(evidence) | set(SCHEMA["$defs"]["sample"]["properties"]) <= quoted(section(text, "### `evidence`"))
    assert {str(outcome) for outcome in Outcome} <= quoted(text)


def test_every_stamp_is_on_the_page_and_in_the_reports_words():
    named = quoted(section(page("result"), "### `stamps`"))
    assert set(MEANINGS) <= named
    assert set(build.measurements().stamps) <= {"I", *MEANINGS}


def test_every_field_of_a_gap_is_on_its_page_and_in_its_schema():
    words = quoted(page("gaps"))
    assert set(Gap.model_fields) | set(Occurrence.model_fields) <= words
    assert set(json.loads((ROOT / "schemas/gap.json").read_text())["properties"]) == set(Gap.model_fields)


def test_every_kind_effect_and_status_of_the_journal_is_on_its_page():
    text = page("journal")
    assert {str(kind) for kind in Kind} <= quoted(section(text, "## Kinds"))
    assert {str(status) for status in Status} <= quoted(text)
    assert {str(effect) for effect in Effect} <= quoted(section(text, "## Effects"))
    assert set(Entry.__slots__) <= quoted(text.split("## Kinds")[0])


def test_the_journal_can_be_checked_as_the_page_says(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", page("journal"), re.DOTALL)
    (tmp_path / "journal.jsonl").write_text(
        "".join(to_line(entry) + "\n" for entry in build.journal()), encoding="utf-8"
    )
    command = [sys.executable, "-X", "utf8", "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert build.journal()[-1].hash in done.stdout
    changed = (tmp_path / "journal.jsonl").read_text().replace('"attempt":1', '"attempt":2', 1)
    (tmp_path / "journal.jsonl").write_text(changed)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0
