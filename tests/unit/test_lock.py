"""The locks: complete, pinned, hashed, without addresses, and agreeing with pyproject.toml and with each other."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = {"requirements.lock": "test", "requirements-dev.lock": "dev"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENTS = [{"python_version": v, "python_full_version": f"{v}.0"} for v in ("3.11", "3.12", "3.13")]


@cache
def entries(name: str) -> list[tuple[Requirement, list[str]]]:
    """Each requirement of a lock, with its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [(Requirement(line.partition(" --hash")[0]), re.findall(r"--hash=(\S+)", line)) for line in lines]


def wanted(extra: str) -> list[Requirement]:
    """What `.[extra]` asks for, its own extras followed."""
    found = [Requirement(text) for text in PROJECT["dependencies"]]
    waiting, seen = [extra], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for text in PROJECT["optional-dependencies"][name]:
            requirement = Requirement(text)
            if requirement.name == PROJECT["name"]:
                waiting += requirement.extras
            else:
                found.append(requirement)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_pinned_and_hashed(name):
    locked = entries(name)
    assert len(locked) > 50
    for requirement, hashes in locked:
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(requirement.specifier)), requirement
        assert requirement.url is None, requirement
        assert hashes, f"{requirement.name} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement.name


@pytest.mark.parametrize("name", LOCKS)
def test_no_address_stands_in_a_lock(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.findall(r"\w+://|--(?:index-url|extra-index-url|find-links|trusted-host)|(?m:^-)|@ ?file", text)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each["python_version"])
@pytest.mark.parametrize(("name", "extra"), LOCKS.items())
def test_a_lock_has_all_that_pyproject_asks_for(name, extra, environment):
    for requirement in wanted(extra):
        versions = [
            next(iter(each.specifier)).version
            for each, _ in entries(name)
            if canonicalize_name(each.name) == canonicalize_name(requirement.name)
            and (each.marker is None or each.marker.evaluate(environment))
        ]
        assert len(versions) == 1, f"{requirement} in {name}: {versions}"
        assert requirement.specifier.contains(versions[0], prereleases=True), f"{requirement} against {versions[0]}"


def test_the_development_lock_holds_all_of_the_other():
    # `make drill` takes a .venv made for development as it is: the versions must be the same.
    def versions(name: str) -> set[tuple[str, str]]:
        return {(each.name, str(each.specifier)) for each, _ in entries(name)}

    assert versions("requirements.lock") <= versions("requirements-dev.lock")


def test_the_build_backend_is_locked():
    system = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    names = {each.name for each, _ in entries("requirements.lock")}
    assert {Requirement(each).name for each in system["requires"]} <= names


def test_every_import_is_declared():
    extras = set(PROJECT["optional-dependencies"]) - {"test", "dev"}
    declared = {canonicalize_name(each.name) for extra in extras for each in wanted(extra)}
    declared.add("pydantic-core")  # pydantic asks for exactly one version of it, and takes its errors from it
    distributions = metadata.packages_distributions()
    missing = {}
    for path in sorted((ROOT / "runner").rglob("*.py")):
        for module in imported(path):
            if module in sys.stdlib_module_names or module == "drillmark":
                continue
            if not declared & {canonicalize_name(each) for each in distributions.get(module, [module])}:
                missing.setdefault(module, path.relative_to(ROOT).as_posix())
    assert not missing, f"imported, and not in pyproject.toml: {missing}"


def imported(path: Path) -> set[str]:
    """The top-level modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
