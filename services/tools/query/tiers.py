"""Both tiers: what lies only in the bucket, beside what lies here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.console import Console

from services.shared.event import Stream
from services.tools.offload.index import only_far
from services.tools.query.parts import ALL_HOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow.dataset as ds

    from services.tools.copy.sources import Folder
    from services.tools.offload.bucket import Bucket
    from services.tools.offload.index import Far
    from services.tools.settings import ToolsSettings


def far_datasets(given: ToolsSettings, command: str) -> dict[Stream, ds.Dataset]:
    """Return a dataset of streams that have files only in the bucket; says so where none can be read."""
    far = only_there(given.root)
    bucket = bucket_for(given, far, command)
    return datasets_of(bucket, far) if bucket is not None else {}


def only_there(root: Path, streams: Iterable[Stream] = tuple(Stream), hours: range = ALL_HOURS) -> list[Far]:
    """Return what of these hours lies only in the bucket."""
    return [one for one in only_far(root, streams) if one.hour in hours]


def bucket_for(given: ToolsSettings, far: Iterable[Far], command: str) -> Bucket | None:
    """Return the bucket if something lies only there; None, and says so, where it cannot be read."""
    hours = len({(one.stream, one.hour) for one in far})
    if not hours:
        return None
    if find_spec("obstore") is None or not given.archive_object_store:
        mend = f"set ARCHIVE_OBJECT_STORE and ask with: docker compose run --rm tools archive {command} …"
        Console(stderr=True).print(
            f"{hours:,} hours lie only in the bucket and are not in this answer; {mend}", markup=False
        )
        return None
    # Only in the image `tools`.
    from services.tools.offload.bucket import Bucket  # noqa: PLC0415 - see above

    return Bucket(given)


def datasets_of(bucket: Bucket, far: Iterable[Far]) -> dict[Stream, ds.Dataset]:
    """Return a dataset of each stream that has files in the bucket."""
    from services.tools.offload.remote import datasets  # noqa: PLC0415 - only in the image `tools`

    return datasets(bucket, far)


class BothTiers:
    """An archive's folder, and the bucket for what left the folder: to be copied from as from one."""

    def __init__(self, folder: Folder, bucket: Bucket, far: Iterable[Far]) -> None:
        self._folder = folder
        self._bucket = bucket
        self._far = {one.key for one in far}

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self._folder} with {self._bucket.name}"

    def read(self, path: str) -> bytes | None:
        """Return a small file of the folder, or None where there is none. Raises Transient."""
        return self._folder.read(path)

    def blocks(self, path: str, start: int) -> Iterator[bytes]:
        """Yield a file's bytes from `start` on. Raises Transient; FileNotFoundError where it is gone."""
        if path in self._far:
            yield from self._bucket.blocks(path, start)
        else:
            yield from self._folder.blocks(path, start)
