"""What the typed columns of one event do not hold, kept verbatim for the column `extra`.

By the level it came from (`event`, `commit`, `identity`, `account`, `record`), whole values only; DATA.md
says how columns and leftovers make the event again.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from services.data_writer.decode import NO_REF, NO_REPLY, Int64, Ref, Reply

Keys = dict[str, Raw]
"""An object, one level deep: each value as the text it was."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading JSON may raise, another type than expected included."""

KEYS = msgspec.json.Decoder(Keys)
TEXT = msgspec.json.Decoder(str)
TEXTS = msgspec.json.Decoder(list[str])
FLAG = msgspec.json.Decoder(bool)
INT64 = msgspec.json.Decoder(Int64)


class Leftovers:
    """Gathers what is left of one event while its columns are filled."""

    def __init__(self) -> None:
        self.type_mismatches = 0
        """Values whose type was not their column's."""
        self._levels: dict[str, dict[str, Raw | str]] = {}
        self._absent: list[str] = []

    def keep(self, level: str, key: str, value: Raw | str) -> None:
        """Set one value aside."""
        self._levels.setdefault(level, {})[key] = value

    def keep_all(self, level: str, keys: Keys) -> None:
        """Set aside what no column asked for."""
        for key, value in keys.items():
            self.keep(level, key, value)

    def absent(self, path: str) -> None:
        """Note a key that the rules would make and the event did not have."""
        self._absent.append(path)

    def extra(self) -> bytes | None:
        """Return the JSON for the column, or None when nothing is left."""
        if not self._levels and not self._absent:
            return None
        return msgspec.json.encode(self._levels | ({"absent": self._absent} if self._absent else {}))

    def take(self, level: str, keys: Keys, key: str, decoder: msgspec.json.Decoder[Any]) -> Any:
        """Take an optional value out of `keys`; None where it is absent, or set aside for its type."""
        raw = keys.pop(key, None)
        value = self._fit(raw, decoder)
        if raw is not None and value is None:
            self.keep(level, key, raw)
        return value

    def take_ref(self, keys: Keys, key: str) -> Ref:
        """Take a strong reference out of a record's keys; keep it too where its columns are not all of it."""
        raw = keys.pop(key, None)
        ref, complete = self._ref(raw)
        if raw is not None and not complete:
            self.keep("record", key, raw)
        return ref

    def take_reply(self, keys: Keys) -> Reply:
        """Take what a post answers out of its record's keys; as above."""
        raw = keys.pop("reply", None)
        if raw is None:
            return NO_REPLY
        sides = self._fit(raw, KEYS) or {}
        root, root_complete = self._ref(sides.get("root"))
        parent, parent_complete = self._ref(sides.get("parent"))
        if not sides or root_complete + parent_complete != len(sides):
            self.keep("record", "reply", raw)
        return Reply(root, parent)

    def _ref(self, raw: Raw | None) -> tuple[Ref, bool]:
        """Return as much of a reference as fits, and whether that is all there is of it."""
        if raw is None:
            return NO_REF, False
        keys = self._fit(raw, KEYS) or {}
        uri, cid = self._fit(keys.get("uri"), TEXT), self._fit(keys.get("cid"), TEXT)
        complete = bool(keys) and (uri is not None) + (cid is not None) == len(keys)
        return Ref(uri, cid), complete

    def _fit(self, raw: Raw | None, decoder: msgspec.json.Decoder[Any]) -> Any:
        if raw is None:
            return None
        try:
            return decoder.decode(raw)
        except UNREADABLE:
            self.type_mismatches += 1
            return None
