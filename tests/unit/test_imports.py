"""Who may know whom: the direction of imports, read from the syntax tree of every module.

Also imports within functions and for type checking count: knowing is knowing.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "runner" / "drillmark"

# The pure core: computes, and has no effects. `report.files` is the one edge of its part: it writes.
PURE = (
    "model",
    "errors",
    "define",
    "plan",
    "decide",
    "measure",
    "judge",
    "journal.entries",
    "report",
    "lazily",
    "periods",
    "decisions.state",
    "calendar",
    "safety",
)
EDGES = ("report.files", *(f"safety.{name}" for name in ("facts", "budgets", "own_runs", "probes")))
EFFECTS = {"subprocess", "socket", "time", "random", "secrets", "asyncio", "threading", "multiprocessing", "signal"}
EFFECTS |= {"psutil", "requests", "aiohttp", "psycopg", "locust", "chaoslib", "sqlite3", "urllib", "http", "tempfile"}

# What an adapter may know: the vocabulary, and the port that its part is written against.
PORTS = ("model", "errors", "clock", "files", "processes", "postgres", "lab.control", "site")
MAY_KNOW = {
    "model": ("model",),
    "errors": (),
    "clock": ("model",),
    # No older backup, no ransom: whether one would do is a recovery's own question.
    "faults.ransom": (*PORTS, "faults", "recovery"),
    # Small things that a fault and a recovery share; no recovery method.
    "faults": (*PORTS, "faults", *(f"recovery.{name}" for name in ("activity", "connecting", "launching", "marker"))),
    "recovery": (*PORTS, "samples", "recovery"),
    "lab": ("model", "errors", "clock", "files", "processes", "postgres", "lab"),
    "postgres": ("model", "errors", "clock", "files", "processes", "postgres"),
    "gaps": ("model", "errors", "files", "lazily", "places", "report.words", "database", "gaps"),
}
# Whoever drives may be known by nobody below it.
FACES = ("cli", "web")


def part_of(module: str, parts: tuple[str, ...]) -> bool:
    return any(module == part or module.startswith(part + ".") for part in parts)


def module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports; `drillmark.x` stands as it is."""
    known = {module_name(other, package) for other in package.rglob("*.py")}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            base = node.module or ""
            for alias in node.names:
                full = f"{base}.{alias.name}"
                is_module = full.removeprefix("drillmark.") in known
                yield node.lineno, full if is_module else base


def violations(package: Path) -> list[str]:
    found: list[str] = []
    for path in sorted(package.rglob("*.py")):
        module = module_name(path, package)
        for line, name in imported(path, package):
            reason = forbidden(module, name)
            if reason:
                found.append(f"{path}:{line}: {module or 'drillmark'} imports {name}: {reason}")
    return found


def forbidden(module: str, name: str) -> str:
    own = name == "drillmark" or name.startswith("drillmark.")
    target = name.removeprefix("drillmark").removeprefix(".")
    pure = part_of(module, PURE) and module not in EDGES
    if pure and not own and name.split(".", maxsplit=1)[0] in EFFECTS:
        return "the pure core has no effects"
    if not own:
        return ""
    if not target:
        return ""  # the version
    if pure and not (part_of(target, PURE) and target not in EDGES) and (module, target) != ("report", "report.files"):
        return "the pure core knows only the pure core"
    part = next((part for part in MAY_KNOW if part_of(module, (part,))), None)
    if part is not None and not part_of(target, MAY_KNOW[part]):
        return f"{part} may know only {', '.join(MAY_KNOW[part]) or 'nobody'}"
    if part_of(target, FACES) and not part_of(module, (*FACES, "__main__")):
        return "nobody knows the faces"
    return ""


def test_imports_go_one_way():
    assert "\n".join(violations(PACKAGE)) == ""


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("measure/rta.py", "x = 1\nimport time\n", "rta.py:2: measure.rta imports time: the pure core has no effects"),
        ("judge/__init__.py", "from drillmark import engine\n", "__init__.py:1: judge imports drillmark.engine"),
        ("decide/a.py", "def f():\n    from drillmark.clock import now\n", "a.py:2: decide.a imports drillmark.clock"),
        ("journal/entries.py", "import drillmark.journal.store\n", "entries.py:1: journal.entries imports"),
        ("report/junit.py", "from drillmark.report import files\n", "junit.py:1: report.junit imports"),
        ("faults/x.py", "from drillmark.engine import start\n", "x.py:1: faults.x imports drillmark.engine.start"),
        ("recovery/x.py", "import drillmark.lab.api\n", "x.py:1: recovery.x imports drillmark.lab.api"),
        ("lab/x.py", "from drillmark.engine.paths import A\n", "x.py:1: lab.x imports drillmark.engine"),
        ("model/x.py", "from drillmark.errors import E\n", "x.py:1: model.x imports drillmark.errors"),
        ("engine/x.py", "from drillmark.cli import views\n", "x.py:1: engine.x imports drillmark.cli"),
    ],
)
def test_a_violation_is_named_with_file_and_line(tmp_path, module, text, expected):
    package = tmp_path / "drillmark"
    for name in (
        "engine/__init__.py",
        "engine/start.py",
        "engine/paths.py",
        "clock.py",
        "report/files.py",
        "errors.py",
    ):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    for name in ("journal/store.py", "lab/api.py", "cli/views.py", "cli/__init__.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    path = package / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (found,) = violations(package)
    assert expected in found


def test_the_rules_speak_of_modules_that_exist():
    known = {module_name(path, PACKAGE) for path in PACKAGE.rglob("*.py")}
    named = {*PURE, *EDGES, *PORTS, *MAY_KNOW, *(name for names in MAY_KNOW.values() for name in names), "cli"}
    assert named - known == set()


def test_asking_for_help_imports_click_and_errors_only():
    code = "import sys; from drillmark.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    ours = {name for name in loaded if name.startswith("drillmark")}
    assert ours == {"drillmark", "drillmark.cli", "drillmark.errors"}
    assert not loaded & {"rich", "yaml", "pydantic", "numpy", "jinja2", "chaoslib", "asyncio", "sqlite3", "json"}
