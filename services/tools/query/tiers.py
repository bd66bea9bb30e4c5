"""Both tiers: files here, and files that are only in the bucket."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.console import Console

from services.shared.event import Stream
from services.tools.offload.index import only_remote
from services.tools.query.parts import ALL_HOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow.dataset as ds

    from services.tools.copy.sources import Folder
    from services.tools.offload.bucket import Bucket
    from services.tools.offload.index import RemoteFile
    from services.tools.settings import ToolsSettings


def remote_datasets(given: ToolsSettings, command: str) -> dict[Stream, ds.Dataset]:
    """Return a dataset of each stream with files that are only in the bucket; empty if it cannot be read."""
    remote = remote_files(given.root)
    bucket = bucket_for(given, remote, command)
    return datasets_of(bucket, remote) if bucket is not None else {}


def remote_files(
    root: Path, streams: Iterable[Stream] = tuple(Stream), hours: range = ALL_HOURS
) -> list[RemoteFile]:
    """Return the files of these hours that are only in the bucket."""
    return [one for one in only_remote(root, streams) if one.hour in hours]


def bucket_for(given: ToolsSettings, remote: Iterable[RemoteFile], command: str) -> Bucket | None:
    """Return the bucket if there are such files; otherwise None.

    Where the bucket cannot be read, prints on standard error how many hours are missing from the answer.
    """
    hours = len({(one.stream, one.hour) for one in remote})
    if not hours:
        return None
    if find_spec("obstore") is None or not given.archive_object_store:
        remedy = f"set ARCHIVE_OBJECT_STORE and run: docker compose run --rm tools archive {command} …"
        Console(stderr=True).print(
            f"{hours:,} hours are only in the bucket and missing from this answer; {remedy}", markup=False
        )
        return None
    # Only in the image `tools`.
    from services.tools.offload.bucket import Bucket  # noqa: PLC0415 - see above

    return Bucket(given)


def datasets_of(bucket: Bucket, remote: Iterable[RemoteFile]) -> dict[Stream, ds.Dataset]:
    """Return a dataset of each stream with files in the bucket."""
    from services.tools.offload.remote import datasets  # noqa: PLC0415 - only in the image `tools`

    return datasets(bucket, remote)


class BothTiers:
    """A source of a copy: an archive's folder, and its bucket for files that are only there."""

    def __init__(self, folder: Folder, bucket: Bucket, remote: Iterable[RemoteFile]) -> None:
        self._folder = folder
        self._bucket = bucket
        self._remote = {one.key for one in remote}

    def __str__(self) -> str:
        """Return the names of both."""
        return f"{self._folder} with {self._bucket.name}"

    def read(self, path: str) -> bytes | None:
        """Return a small file of the folder, or None where there is none. Raises Transient."""
        return self._folder.read(path)

    def blocks(self, path: str, start: int) -> Iterator[bytes]:
        """Yield a file's bytes from offset `start`.

        Raises Transient; FileNotFoundError for a missing file.
        """
        if path in self._remote:
            yield from self._bucket.blocks(path, start)
        else:
            yield from self._folder.blocks(path, start)
