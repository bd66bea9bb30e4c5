"""Finds rows of an account: conditions as SQL for each stream, and the files with such rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from services.archive.duckdb import engine
from services.archive.paths import REPLACED, hour_of
from services.jetstream.settings import DID
from services.shared.errors import BadInput, BrokenInvariant
from services.shared.event import OWN_STREAMS, Stream
from services.tools.query.parts import find
from services.tools.query.views import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import duckdb


FILES_AT_ONCE = 200


class FileRows(NamedTuple):
    """A file with rows of the account, and their number."""

    stream: Stream
    hour: int
    path: Path
    rows: int


def in_datasets(root: Path, wanted: Mapping[Stream, str], memory_mb: int) -> list[FileRows]:
    """Return the streams' files with such rows. Raises Transient when a file was just replaced."""
    found = []
    for stream, condition in wanted.items():
        files = [part.path for part in find(root, (stream,)).parts]
        for path, rows in _counts(root, files, condition, memory_mb):
            hour = hour_of(path.parent)
            if hour is None:
                raise BrokenInvariant(f"{path} is in no hour; run: archive verify")
            found.append(FileRows(stream, hour, path, rows))
    return found


def in_replaced(root: Path, wanted: Mapping[Stream, str], memory_mb: int) -> dict[Path, int]:
    """Return the folders of replaced files with such rows, and the number of rows."""
    found: dict[Path, int] = {}
    for stream, condition in wanted.items():
        files = sorted((root / REPLACED / stream).glob("*/*.parquet*"))
        for path, rows in _counts(root, files, condition, memory_mb):
            found[path.parent] = found.get(path.parent, 0) + rows
    return found


def _counts(root: Path, files: list[Path], condition: str, memory_mb: int) -> Iterator[tuple[Path, int]]:
    by_name = {str(path): path for path in files}
    with engine(None, memory_mb, f"search {root}") as database:
        for start in range(0, len(files), FILES_AT_ONCE):
            found = _ask(database, files[start : start + FILES_AT_ONCE], condition)
            yield from ((by_name[name], rows) for name, rows in found)


def _ask(database: duckdb.DuckDBPyConnection, files: Iterable[Path], condition: str) -> list[tuple[str, int]]:
    listed = ", ".join(literal(str(path)) for path in files)
    read = f"read_parquet([{listed}], filename = true, union_by_name = true, hive_partitioning = false)"
    query = f"SELECT filename, count(*) FROM {read} WHERE {condition} GROUP BY 1 ORDER BY 1"  # noqa: S608 - quoted paths, our own condition
    return database.execute(query).fetchall()


_URIS = {
    Stream.LIKES: ("subject_uri", "via_uri"),
    Stream.REPOSTS: ("subject_uri", "via_uri"),
    Stream.POSTS: ("reply_root_uri", "reply_parent_uri"),
}
_TEXTS = {
    Stream.POSTS: ("text", "embed", "facets", "labels", "extra"),
    Stream.LIKES: ("extra",),
    Stream.REPOSTS: ("extra",),
    Stream.FOLLOWS: ("subject_did", "extra"),
    Stream.RECORDS: ("record", "extra"),
}


def conditions(did: str, *, mentions: bool) -> dict[Stream, str]:
    """Return a SQL condition for each stream that may have rows of the account; it is never NULL. Pure.

    With `mentions` it also matches rows of others that name the account. Rejects are matched by their
    bytes: one that names the account is matched in any case. Raises BadInput for an invalid DID.
    """
    if not DID.fullmatch(did):
        raise BadInput(f"{did!r} is no DID; write it as did:plc:ewvi7nxzyoun6zhxrhs64oiz")
    found = {Stream.REJECTS: _named("frame::VARCHAR", did)}
    for stream in Stream:
        if stream in OWN_STREAMS:
            continue
        ways = [f"did = '{did}'"]
        if mentions:
            ways += [f"starts_with({column}, 'at://{did}/')" for column in _URIS.get(stream, ())]
            ways += [_named(column, did) for column in _TEXTS.get(stream, ())]
        found[stream] = f"coalesce({' OR '.join(f'coalesce({way}, false)' for way in ways)}, false)"
    return found


def _named(column: str, did: str) -> str:
    # No character of a DID may follow: did:web:a.org is not did:web:a.org.uk.
    return f"regexp_matches({column}, '{re.escape(did)}([^A-Za-z0-9._:%-]|[.:]?$|[.:][^A-Za-z0-9._:%-])')"
