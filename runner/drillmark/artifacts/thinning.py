"""The copies of runs at a place, as whoever prunes sees them: what lies there, and away with some of it.

Must never take away what it was not told to, nor leave something missing that the journal beside it does not explain.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from drillmark.artifacts import manifest
from drillmark.artifacts.keeping import scratch
from drillmark.artifacts.place import ArtifactsError, Place

# Without these a copy is no evidence, and nothing is taken from it.
_EVIDENCE = {"journal.jsonl", "plan.json", "result.json"}


class Copies:
    """What a place holds. Raises ArtifactsError where it cannot be reached."""

    def __init__(self, root: Path, place: Place) -> None:
        self._scratch = scratch(root)
        self._store = place.open()
        self._store.check()

    def listed(self, run: str) -> Mapping[str, int]:
        """Name and size of each file that lies there of a run that was kept whole. Raises ArtifactsError."""
        found = manifest.read(self._store, run)
        names = {one.path: one.bytes for one in found.files} if found is not None else {}
        return names if names.keys() >= _EVIDENCE else {}

    def remove(self, run: str, names: Collection[str], journal: str) -> None:
        """Take these away, and leave the journal that says so; done again, it ends what was cut short.

        Raises ArtifactsError.
        """
        found = manifest.read(self._store, run)
        if found is None:
            return
        try:
            self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
            said = manifest.put_text(self._store, self._scratch, f"{run}/journal.jsonl", journal)
            for name in names:
                self._store.remove(f"{run}/{name}")
            # The list comes last: until then it names what is to be taken away, and so this is done again.
            left = [one for one in found.files if one.path not in {*names, said.path}]
            found.files = sorted([*left, said], key=lambda one: one.path)
            manifest.write(self._store, self._scratch, run, found)
        except OSError as error:
            raise ArtifactsError(f"{self._scratch}: {error.strerror or error}") from error
