"""Reads files that are only in the bucket.

One Arrow dataset a stream, which downloads only the pages it needs.

Arrow reads any file object, while DuckDB would need an extension from the internet for S3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from services.archive.schema import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from obstore import ReadableFile

    from services.shared.event import Stream
    from services.tools.offload.bucket import Bucket
    from services.tools.offload.index import RemoteFile

HOURS = pa.schema([(name, pa.int32()) for name in ("year", "month", "day", "hour")])


def datasets(bucket: Bucket, remote: Iterable[RemoteFile]) -> dict[Stream, ds.Dataset]:
    """Return a dataset of each stream with objects; filters on year, month, day and hour skip files."""
    sizes: dict[Stream, dict[str, int]] = {}
    for one in remote:
        sizes.setdefault(one.stream, {})[one.key] = one.object.bytes
    return {
        stream: ds.dataset(
            list(keys),
            schema=pa.unify_schemas([SCHEMAS[stream], HOURS]),
            filesystem=pafs.PyFileSystem(_Objects(bucket, keys)),
            format="parquet",
            partitioning=ds.partitioning(HOURS, flavor="hive"),
        )
        for stream, keys in sizes.items()
    }


class _Objects(pafs.FileSystemHandler):  # type: ignore[misc]
    """A read-only file system of the given objects."""

    def __init__(self, bucket: Bucket, sizes: dict[str, int]) -> None:
        self._bucket = bucket
        self._sizes = sizes

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)

    def get_type_name(self) -> str:
        return "bucket"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        return [pafs.FileInfo(path, pafs.FileType.File, size=self._sizes[path]) for path in paths]

    def open_input_file(self, path: str) -> pa.PythonFile:
        return pa.PythonFile(_Reading(self._bucket.open(path)), mode="r")

    def open_input_stream(self, path: str) -> pa.PythonFile:
        return self.open_input_file(path)

    def _only_read(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("the bucket is read-only here")

    get_file_info_selector = create_dir = delete_dir = delete_dir_contents = _only_read
    delete_root_dir_contents = delete_file = move = copy_file = _only_read
    open_output_stream = open_append_stream = _only_read


class _Reading:
    """A file object for Arrow: returns bytes and has `closed`."""

    def __init__(self, file: ReadableFile) -> None:
        self._file = file
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read() if size < 0 else self._file.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
