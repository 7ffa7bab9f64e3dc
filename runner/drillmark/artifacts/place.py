"""Which place is meant by DRILLMARK_ARTIFACTS, and what every place can do. Opens nothing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drillmark.errors import DrillmarkError, UsageError

VARIABLE = "DRILLMARK_ARTIFACTS"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


class ArtifactsError(DrillmarkError):
    """The place cannot be reached, or did not take what it was given."""

    code = "artifacts"


class Store(Protocol):
    """A place that takes whole files. Every method raises ArtifactsError."""

    def check(self) -> None:
        """See that it is there."""
        ...

    def holds(self, key: str, size: int, sha256: str) -> bool:
        """Whether this very file is there already."""
        ...

    def put(self, key: str, path: Path, sha256: str) -> None:
        """Take a whole file, or nothing of it; what came is what `sha256` says."""
        ...

    def read(self, key: str) -> bytes | None:
        """A small file; None where there is none."""
        ...

    def remove(self, key: str) -> None:
        """Take a file away, if it is there."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, or a bucket of S3 and what all names in it begin with."""

    folder: Path | None = None
    bucket: str = ""
    prefix: str = ""

    def open(self) -> Store:
        """What takes files there. Raises ArtifactsError."""
        if self.folder is not None:
            from drillmark.artifacts.folder import Folder  # noqa: PLC0415 - the one that is meant

            return Folder(self.folder)
        try:
            from drillmark.artifacts.s3 import Bucket  # noqa: PLC0415 - not everybody has the extra
        except ModuleNotFoundError as error:
            hint = "pip install 'drillmark[aws]'"
            raise ArtifactsError(f"S3 needs the extra `aws`: {error.name} is not installed", hint=hint) from error
        return Bucket(self.bucket, self.prefix)


def configured(root: Path) -> Place | None:
    """The place that DRILLMARK_ARTIFACTS names, if it names one. Raises UsageError where that is none."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    if text.startswith("s3://"):
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
            raise UsageError(f"{VARIABLE} names no bucket: {text!r}", hint="write s3://BUCKET or s3://BUCKET/PREFIX")
        return Place(bucket=bucket, prefix=prefix.strip("/"))
    if _SCHEME.match(text):
        raise UsageError(f"{VARIABLE} is {text!r}", hint="a folder, or s3://BUCKET/PREFIX")
    return Place(folder=root / Path(text).expanduser())
