"""Fixtures that several parts share: real labs, taken down whatever a test did to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab_helpers import SMALL_BYTES

LabFactory = Callable[..., "object"]


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFactory]:
    """Makes labs: `lab(scale_bytes=..., directory=...) -> LabState`, each in a fresh directory and up."""
    from drillmark import lab as labs

    made: list[Path] = []

    def make(*, scale_bytes: int = SMALL_BYTES, directory: Path | None = None, **options: float) -> object:
        place = directory or tmp_path_factory.mktemp("lab") / "lab"
        made.append(place)
        return labs.up(place, scale_bytes=scale_bytes, **options)

    yield make
    for place in made:
        labs.down(place)


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A lab for tests that leave it as they found it (they may add orders). A `LabState`."""
    from drillmark import lab as labs

    place = tmp_path_factory.mktemp("shared") / "lab"
    yield labs.up(place, scale_bytes=SMALL_BYTES)
    labs.down(place)
