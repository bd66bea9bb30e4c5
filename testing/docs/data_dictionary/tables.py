"""DATA.md's tables, from the schemas, the meanings and the sample. Pure but for reading the sample."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

from services.archive.schema import SCHEMAS
from services.shared.event import JETSTREAM_STREAMS, Stream
from testing.docs.data_dictionary.meanings import meaning_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BEGIN, END = "<!-- columns: begin -->", "<!-- columns: end -->"
LONGEST = 60
HEAD = "| column | type | what it is | from | null means | example |\n|---|---|---|---|---|---|"
_COMMITS = (Stream.POSTS, Stream.LIKES, Stream.REPOSTS, Stream.FOLLOWS, Stream.RECORDS)
_TYPES = {pa.list_(pa.string()): "list of string", pa.timestamp("ms", tz="UTC"): "timestamp[ms, UTC]"}


def replaced(text: str, sample: Path) -> str:
    """Return DATA.md's text with what stands between the marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(sample)}\n{END}{after}"


def tables(sample: Path) -> str:
    """Return every table: what all streams of events share, what commits share, what each has of its own."""
    shared = _shared(JETSTREAM_STREAMS)
    commits = [name for name in _shared(_COMMITS) if name not in shared]
    found = [
        _table("Every stream of events", Stream.LIKES, shared, sample),
        _table("Commits: " + ", ".join(f"`{stream}`" for stream in _COMMITS), Stream.LIKES, commits, sample),
    ]
    for stream in Stream:
        told = set(shared) if stream in JETSTREAM_STREAMS else set()
        told |= set(commits) if stream in _COMMITS else set()
        own = [name for name in SCHEMAS[stream].names if name not in told]
        also = ", beside those of commits" if stream in _COMMITS else ""
        also = also or (", beside those of every stream" if stream in JETSTREAM_STREAMS else "")
        found.append(_table(f"`{stream}`{also}", stream, own, sample))
    return "\n\n".join(found)


def example(value: Any) -> str:
    """Return a value as it is shown in a cell, cut where it is long."""
    if isinstance(value, datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    elif isinstance(value, bytes):
        text = value.decode()
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "`" + " ".join(text.split()).replace("|", "\\|").replace("`", "'") + "`"


def _shared(streams: Iterable[Stream]) -> list[str]:
    """Return the columns that all of these streams have alike, in their order."""
    first, *others = (SCHEMAS[stream] for stream in streams)
    return [field.name for field in first if all(field in list(other) for other in others)]


def _table(title: str, stream: Stream, columns: list[str], sample: Path) -> str:
    rows = ds.dataset(sample / stream.value).to_table(columns=columns)
    lines = [f"### {title}\n", HEAD]
    for name in columns:
        field, meaning = SCHEMAS[stream].field(name), meaning_of(stream.value, name)
        kind = _TYPES.get(field.type, str(field.type)) + ("?" if field.nullable else "")
        value = next(value for value in rows[name].to_pylist() if value not in (None, "", []))
        cells = (f"`{name}`", kind, meaning.what, meaning.source, meaning.null, example(value))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
