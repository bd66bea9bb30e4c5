"""The bucket: the only module that uses S3. It translates obstore's errors."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from services.shared.errors import Transient
from services.shared.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from obstore import ReadableFile

    from services.shared.settings import Settings

READ_BYTES = 8 << 20


class Measured(NamedTuple):
    """Size and hash of a file or an object."""

    bytes: int
    sha256: str


class Bucket:
    """The bucket of ARCHIVE_OBJECT_STORE.

    Every method raises Transient when the server does not answer, and SettingsError when it refuses the keys.
    """

    def __init__(self, settings: Settings, *, retry_seconds: float = 120.0) -> None:
        if not settings.archive_object_store:
            raise SettingsError("ARCHIVE_OBJECT_STORE: name the bucket, as s3://BUCKET or s3://BUCKET/PREFIX")
        parts = urlsplit(settings.archive_object_store)
        endpoint = settings.archive_object_endpoint or None
        key, secret = _keys(settings.archive_object_key_file)
        self.name = settings.archive_object_store
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            endpoint=endpoint,
            region=settings.archive_object_region,
            access_key_id=key,
            secret_access_key=secret,
            virtual_hosted_style_request=False,
            retry_config={"retry_timeout": timedelta(seconds=retry_seconds)},
            client_options={"allow_http": bool(endpoint and endpoint.startswith("http://"))},
        )

    def put(self, key: str, path: Path) -> None:
        """Upload a file; an object with that key is replaced atomically."""
        with self._translating(key):
            obstore.put(self._store, key, path)

    def measure(self, key: str) -> Measured | None:
        """Download an object and return its size and hash; None where there is none."""
        digest, size = hashlib.sha256(), 0
        with self._translating(key):
            try:
                for block in obstore.get(self._store, key).stream(READ_BYTES):
                    digest.update(block)
                    size += len(block)
            except FileNotFoundError:
                return None
        return Measured(size, digest.hexdigest())

    def size(self, key: str) -> int | None:
        """Return an object's size; None where there is none."""
        with self._translating(key):
            try:
                return int(obstore.head(self._store, key)["size"])
            except FileNotFoundError:
                return None

    def open(self, key: str) -> ReadableFile:
        """Open an object for reading, with seeking."""
        with self._translating(key):
            return obstore.open_reader(self._store, key)

    def fetch(self, key: str, path: Path) -> None:
        """Download an object to a file."""
        with self._translating(key), path.open("wb") as file:
            for block in obstore.get(self._store, key).stream(READ_BYTES):
                file.write(block)

    def blocks(self, key: str, start: int) -> Iterator[bytes]:
        """Yield an object's bytes from offset `start`. Raises FileNotFoundError where there is none."""
        with self._translating(key):
            for block in obstore.get(self._store, key, options={"range": {"offset": start}}).stream(
                READ_BYTES
            ):
                yield bytes(block)

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        with self._translating(key), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    @contextlib.contextmanager
    def _translating(self, key: str) -> Iterator[None]:
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise SettingsError(
                f"ARCHIVE_OBJECT_KEY_FILE: {self.name} refuses its keys: {_first_line(error)}"
            ) from error
        except BaseError as error:
            raise Transient(f"{self.name}/{key}: {_first_line(error)}") from error


def measure(path: Path) -> Measured:
    """Return size and hash of a file. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Measured(file.tell(), digest.hexdigest())


def _keys(path: Path | None) -> tuple[str, str]:
    if path is None:
        raise SettingsError(
            "ARCHIVE_OBJECT_KEY_FILE: give a file with two lines, the access key and its secret"
        )
    try:
        lines = path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise SettingsError(f"ARCHIVE_OBJECT_KEY_FILE: {error}; give the right path") from error
    if len(lines) != 2:  # noqa: PLR2004 - key and secret
        raise SettingsError(
            f"ARCHIVE_OBJECT_KEY_FILE: {path} must hold two lines, the access key and its secret"
        )
    return lines[0], lines[1]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
