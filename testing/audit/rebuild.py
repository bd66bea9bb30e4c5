"""From rows back to events, by the rules in DATA.md and by nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from testing.audit.canonical import Event, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = dict[str, Any]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - rendered as UTC below, whatever the zone of this machine
_ROWS_AT_ONCE = 20_000
_KIND_OF = {"identities": "identity", "accounts": "account"}


def rebuild_events(root: Path, stream: str) -> Iterator[Event]:
    """Yield the event of every row of one of Jetstream's streams, in no particular order."""
    for row in _rows(root, stream):
        yield rebuild(stream, row)


def rebuild_frames(root: Path) -> Iterator[bytes]:
    """Yield the frame of every row of `rejects`."""
    for row in _rows(root, "rejects"):
        yield row["frame"]


def count_rows(root: Path, stream: str) -> int:
    """Return how many rows a stream has."""
    if not any((root / stream).glob("**/*.parquet")):
        return 0
    with _quiet() as connection:
        found = connection.execute(
            "SELECT count(*) FROM read_parquet(?)", [_pattern(root, stream)]
        ).fetchone()
    assert found is not None
    return int(found[0])


def rebuild(stream: str, row: Row) -> Event:
    """Return the event of a row; timestamps in the row are Unix microseconds."""
    extra = parse(row["extra"]) if row["extra"] is not None else {}
    kind = _KIND_OF.get(stream, "commit")
    if kind == "commit":
        body = _commit(stream, row, extra)
    else:
        body = _identity(row) if kind == "identity" else _account(row)
    body |= extra.get(kind, {})
    event: Event = _present(did=row["did"], time_us=row["time_us"], kind=kind, cursor=row["cursor"])
    event[kind] = body
    event |= extra.get("event", {})
    levels = {"event": event, kind: body, "record": body.get("record", {})}
    for path in extra.get("absent", []):
        level, key = path.split(".", 1)
        del levels[level][key]
    return event


def _commit(stream: str, row: Row, extra: Row) -> Row:
    names = ("rev", "operation", "collection", "rkey", "cid")
    commit = _present(**{name: row[name] for name in names})
    if stream == "records":
        if row["record"] is not None:
            commit["record"] = parse(row["record"])
    elif row["operation"] in ("create", "update"):
        commit["record"] = _record(stream, row) | extra.get("record", {})
    return commit


def _record(stream: str, row: Row) -> Row:
    record = _present(**{"$type": row["collection"], "createdAt": _rendered(row["created_at"])})
    if stream == "follows":
        return record | _present(subject=row["subject_did"])
    if stream in ("likes", "reposts"):
        return record | _present(subject=_ref(row, "subject"), via=_ref(row, "via"))
    reply = _present(root=_ref(row, "reply_root"), parent=_ref(row, "reply_parent"))
    record |= _present(text=row["text"], langs=row["langs"], tags=row["tags"], reply=reply or None)
    return record | {
        name: parse(row[name]) for name in ("embed", "facets", "labels") if row[name] is not None
    }


def _identity(row: Row) -> Row:
    return _present(
        did=row["did"], seq=row["relay_seq"], time=_rendered(row["relay_time"]), handle=row["handle"]
    )


def _account(row: Row) -> Row:
    return _present(
        did=row["did"],
        active=row["active"],
        seq=row["relay_seq"],
        time=_rendered(row["relay_time"]),
        status=row["status"],
    )


def _ref(row: Row, name: str) -> Row | None:
    return _present(uri=row[f"{name}_uri"], cid=row[f"{name}_cid"]) or None


def _present(**values: Any) -> Row:
    return {key: value for key, value in values.items() if value is not None}


def _rendered(instant_us: int | None) -> str | None:
    if instant_us is None:
        return None
    return (_EPOCH + timedelta(microseconds=instant_us)).isoformat(timespec="milliseconds") + "Z"


def _rows(root: Path, stream: str) -> Iterator[Row]:
    if not any((root / stream).glob("**/*.parquet")):
        return
    with _quiet() as connection:
        parts = connection.read_parquet(_pattern(root, stream), hive_partitioning=False, union_by_name=True)
        columns = [
            f'epoch_us("{name}") AS "{name}"' if str(kind).startswith("TIMESTAMP") else f'"{name}"'
            for name, kind in zip(parts.columns, parts.types, strict=True)
            if name != "event_time"
        ]
        for batch in parts.project(", ".join(columns)).to_arrow_reader(_ROWS_AT_ONCE):
            yield from batch.to_pylist()


def _quiet() -> duckdb.DuckDBPyConnection:
    """Open a database in memory that draws no progress bars on a slow machine."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    return connection


def _pattern(root: Path, stream: str) -> str:
    return str(root / stream / "**" / "*.parquet")
