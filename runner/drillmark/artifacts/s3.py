"""A bucket of S3 that keeps runs. Who may write there, and where it is, AWS's own variables and files say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drillmark.artifacts.place import ArtifactsError

_ABSENT = ("404", "NoSuchKey", "NotFound")
_PATIENCE = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})


class Bucket:
    """The service checks what it receives against SHA-256; a file is there when the whole of it is."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client: Any = self._told(lambda: boto3.client("s3", config=_PATIENCE))  # pyright: ignore[reportUnknownMemberType]

    def check(self) -> None:
        """Nothing: whoever may only write must not be asked for more."""

    def holds(self, key: str, size: int, sha256: str) -> bool:
        """Whether this very file is there already, by what was said when it was put."""
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except ClientError as error:
            if _code(error) in (*_ABSENT, "403"):
                return False  # 403: S3 says no more to whom may not list
            raise self._error(error) from error
        except (BotoCoreError, Boto3Error) as error:
            raise self._error(error) from error
        return head["ContentLength"] == size and head["Metadata"].get("sha256") == sha256

    def put(self, key: str, path: Path, sha256: str) -> None:
        """Send it."""
        extra = {"Metadata": {"sha256": sha256}, "ChecksumAlgorithm": "SHA256"}
        self._told(lambda: self._client.upload_file(str(path), self._bucket, self._prefix + key, ExtraArgs=extra))

    def read(self, key: str) -> bytes | None:
        """What it holds. Whoever may not list is refused here, and told: an absent file looks the same to them."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
        except ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise self._error(error) from error
        except (BotoCoreError, Boto3Error) as error:
            raise self._error(error) from error

    def remove(self, key: str) -> None:
        """Delete it; where the bucket keeps versions, the older ones are the bucket's own business."""
        self._told(lambda: self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key))

    def _told(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (BotoCoreError, Boto3Error, ClientError) as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> ArtifactsError:
        return ArtifactsError(f"s3://{self._bucket}: {error}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
