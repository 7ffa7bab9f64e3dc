"""The lab's archive_command: copies one WAL file so that it is whole in the archive, or not there at all.

Run by PostgreSQL as `python -I -S archive_wal.py SOURCE TARGET`; standard library only, so that it starts
quickly. Must never overwrite a file that differs: two histories in one archive are worth nothing.
"""

import os
import shutil
import sys
from pathlib import Path


def archive(source: Path, target: Path) -> int:
    """Copy, sync, rename. Returns the exit code: 0 archived (or it was before), 1 refused."""
    if target.exists():
        if target.read_bytes() == source.read_bytes():
            # Archived before a crash of the server could note it.
            _sync(target.parent)
            return 0
        sys.stderr.write(f"archive holds another {target.name} already: refused\n")
        return 1
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with source.open("rb") as reading, draft.open("xb") as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            os.fsync(writing.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)
    _sync(target.parent)
    return 0


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(archive(Path(sys.argv[1]), Path(sys.argv[2])))
