"""Where drills stand by now that something is still known of: their files may have been moved, or deleted.

Must never call a drill gone that may be there: what cannot be read, or is being written at this moment, may be it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from drillmark.define import read_drill
from drillmark.errors import Problem
from drillmark.workspace_files import Files, drill_files

# As ids are mostly written. To understand ten thousand files takes seconds, to find this line in them does not.
_ID = re.compile(rb"""^id:[ \t]*["']?([^\s"'#]+)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)


def standing(root: Path, drills: Mapping[str, str]) -> dict[str, str]:
    """Drill -> its file, of those that are still there. `drills`: each with the file in which it stood before.

    All files are looked into only where one of them is not where it was.
    """
    files = Files(root)
    found = {drill: source for drill, source in drills.items() if _still_holds(files, source, drill)}
    lost = drills.keys() - found.keys()
    for source in sorted(path for path, _ in drill_files(root)) if lost else ():
        data = files.read(source)
        named = lost if isinstance(data, Problem) else {drill for drill in lost if drill.encode() in data}
        found |= {drill: source for drill in sorted(named - found.keys()) if _may_hold(data, source, drill)}
    return found


def _still_holds(files: Files, source: str, drill: str) -> bool:
    try:
        (files.root / source).stat()
    except (FileNotFoundError, NotADirectoryError):
        # Without its folder the workspace is not there: that says nothing of a drill.
        return not (files.root / "drills").is_dir()
    except OSError:
        return True
    return _may_hold(files.read(source), source, drill)


def _may_hold(data: bytes | Problem, source: str, drill: str) -> bool:
    if isinstance(data, Problem):
        return True
    written = _ID.search(data)
    if written is not None and written[1] == drill.encode():
        return True
    parsed = read_drill(data, source).value
    return parsed is None or parsed.id == drill
