"""The pages hold together: links lead somewhere, every page is found, and what they name is there."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from drillmark.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*DOCS, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", text_of(page))


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@each_page
def test_a_page_has_one_title_and_it_comes_first(page):
    assert re.match(r"# \S.*\n", text_of(page))
    assert len(re.findall(r"^# ", prose(page), flags=re.MULTILINE)) == 1


@each_page
def test_links_lead_somewhere(page):
    broken = []
    for link in links(page):
        if re.match(r"https://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(ROOT):
            broken.append(link)
        elif anchor and anchor not in anchors(target):
            broken.append(link)
    assert not broken


@each_page
def test_a_page_names_no_place_of_one_machine(page):
    assert not re.findall(r"(?<![\w.])/(?:work|root|home|tmp)/\S*", text_of(page))


def test_every_page_is_reached_from_the_index():
    waiting, seen = [ROOT / "docs" / "index.md"], set()
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link]
    assert not set(DOCS) - seen
    assert any("docs/index.md" in link for link in links(ROOT / "README.md"))


def test_every_dependency_has_its_reason():
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    asked = [Requirement(text) for text in project["dependencies"]]
    asked += [Requirement(text) for group in project["optional-dependencies"].values() for text in group]
    names = {each.name for each in asked} - {"drillmark"}
    page = text_of(ROOT / "docs/explanation/dependencies.md")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    assert names == told
    assert not [row[0] for row in rows if len(row[-2].strip("| ")) < 5 or len(row[-1].strip("| ")) < 5]


def test_make_targets_that_pages_name_exist_and_explain_themselves():
    makefile = text_of(ROOT / "Makefile")
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## \S", makefile, flags=re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert phony is not None
    assert explained == set(phony[1].split())
    for page in PAGES:
        code = "\n".join([block for _, block in FENCE.findall(text_of(page))] + re.findall(r"`([^`\n]+)`", prose(page)))
        assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) <= explained, page


def test_commands_that_pages_name_exist():
    for page in PAGES:
        spans = [block for _, block in FENCE.findall(text_of(page))] + re.findall(r"`([^`\n]+)`", prose(page))
        named = {
            word for span in spans for word in re.findall(r"^(?:\$ )?drillmark ([a-z]+)\b", span, flags=re.MULTILINE)
        }
        assert named <= set(COMMANDS), page


@each_page
def test_yaml_in_a_page_can_be_read(page):
    for language, block in FENCE.findall(text_of(page)):
        if language == "yaml":
            assert yaml.safe_load(block) is not None


def test_the_first_screen_of_the_readme_has_the_two_commands():
    screen = text_of(ROOT / "README.md").splitlines()[:45]
    assert "make drill" in "\n".join(screen)
    assert "make test" in "\n".join(screen)
    assert any(line.startswith("RTA ") for line in screen), "what `make drill` printed"
