"""Pure: a row of a segment becomes the frame that the v1 wire has for it.

Source: jetstream's internal/subscribe, `Encode`: a row's CID is that of its payload, and `#sync` and what a
resync made are not on that wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from services.shared.errors import BadInput
from services.tools.segments import form
from services.tools.segments.dag_cbor import cid_of, read_record

if TYPE_CHECKING:
    from services.tools.segments.form import Row

OPERATIONS = {form.CREATE: "create", form.UPDATE: "update", form.DELETE: "delete"}
_KINDS = {form.IDENTITY: "identity", form.ACCOUNT: "account"}
_UNHEARD = (form.SYNC, form.CREATE_RESYNC)


def frame_of(row: Row) -> bytes | None:
    """Return a row's frame, or None where the wire has none. Raises BadInput for a row that holds no event.

    `time_us` is when that server received it, as it told it then: a time that its operator set later would
    file the event outside the hole it is missing from.
    """
    if row.kind in _UNHEARD:
        return None
    told: dict[str, Any] = {"did": row.did, "time_us": row.witnessed_us}
    if row.kind in _KINDS:
        kind = _KINDS[row.kind]
        told |= {"kind": kind, kind: read_record(row.payload)}
    elif row.kind in OPERATIONS:
        told |= {"kind": "commit", "commit": _commit(row)}
    else:
        raise BadInput(f"a row of an unknown kind: {row.kind}")
    told["cursor"] = row.seq
    return msgspec.json.encode(told)


def _commit(row: Row) -> dict[str, Any]:
    commit: dict[str, Any] = {
        "rev": row.rev,
        "operation": OPERATIONS[row.kind],
        "collection": row.collection,
        "rkey": row.rkey,
    }
    if row.kind != form.DELETE:
        commit |= {"record": read_record(row.payload), "cid": cid_of(row.payload)}
    return commit
