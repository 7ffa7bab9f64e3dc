"""A namespace for each test, which takes all that is in it along in the end."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_cluster import Place, kubectl


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An empty one; `make` fills it."""
    namespace = f"drillmark-test-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    try:
        yield Place(namespace, tmp_path / "ws")
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")
