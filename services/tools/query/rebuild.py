"""Rebuilds events from rows, by the rules in DATA.md. Pure.

Imports nothing of this project: the tests' audit rebuilds with it what the writer encoded, and a mistake in
shared code would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
Read = Callable[[str], Any]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - rendered as UTC below, whatever the zone of this machine
_KIND_OF = {"identities": "identity", "accounts": "account"}


def rebuild(stream: str, row: Row, value: Read, levels: Read) -> Row:
    """Return the event of a row; timestamps in the row are Unix microseconds.

    `value` decodes the JSON of a column, `levels` that of `extra`, two levels deep; a caller that wants JSON
    unchanged passes decoders that leave deeper levels undecoded.
    """
    extra = levels(row["extra"]) if row["extra"] is not None else {}
    kind = _KIND_OF.get(stream, "commit")
    if kind == "commit":
        body = _commit(stream, row, extra, value)
    else:
        body = _identity(row) if kind == "identity" else _account(row)
    body |= extra.get(kind, {})
    event = _present(did=row["did"], time_us=row["time_us"], kind=kind, cursor=row["cursor"])
    event[kind] = body
    event |= extra.get("event", {})
    found = {"event": event, kind: body, "record": body.get("record", {})}
    for path in extra.get("absent", []):
        level, key = path.split(".", 1)
        del found[level][key]
    return event


def _commit(stream: str, row: Row, extra: Row, value: Read) -> Row:
    names = ("rev", "operation", "collection", "rkey", "cid")
    commit = _present(**{name: row[name] for name in names})
    if stream == "records":
        if row["record"] is not None:
            commit["record"] = value(row["record"])
    elif row["operation"] in ("create", "update"):
        commit["record"] = _record(stream, row, value) | extra.get("record", {})
    return commit


def _record(stream: str, row: Row, value: Read) -> Row:
    record = _present(**{"$type": row["collection"], "createdAt": _rendered(row["created_at"])})
    if stream == "follows":
        return record | _present(subject=row["subject_did"])
    if stream in ("likes", "reposts"):
        return record | _present(subject=_ref(row, "subject"), via=_ref(row, "via"))
    reply = _present(root=_ref(row, "reply_root"), parent=_ref(row, "reply_parent"))
    record |= _present(text=row["text"], langs=row["langs"], tags=row["tags"], reply=reply or None)
    return record | {
        name: value(row[name]) for name in ("embed", "facets", "labels") if row[name] is not None
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
