"""Decodes DAG-CBOR to the values of atproto's JSON: links as `{"$link"}`, bytes as `{"$bytes"}`. Pure.

Source: the DAG-CBOR specification of IPLD, and atproto's "Data Model": maps with text keys, no tag but 42, no
indefinite length, no bytes after the value. None of the project's packages decodes it.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

from services.shared.errors import BadInput

DEEPEST = 256
"""Largest depth that is decoded; indigo writes 32 levels at most."""
_LINK = 42
_ARGUMENTS = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}
_SIMPLE = {20: False, 21: True, 22: None}
_DOUBLE = 27
_DAG_CBOR_SHA256 = b"\x01\x71\x12\x20"


def read_record(raw: bytes) -> Any:
    """Return a record as a value of JSON, usually a dict. Raises BadInput for other bytes."""
    reader = _Reader(raw)
    try:
        value = reader.value(0)
    except (struct.error, UnicodeDecodeError) as error:
        raise BadInput(f"no DAG-CBOR: {error}") from error
    if reader.at != len(raw):
        raise BadInput(f"no DAG-CBOR: {len(raw) - reader.at:,} bytes follow it")
    return value


def cid_of(raw: bytes) -> str:
    """Return the CID of a record's DAG-CBOR: version 1, SHA-256, in base32."""
    return _text_of_link(_DAG_CBOR_SHA256 + hashlib.sha256(raw).digest())


def _text_of_link(link: bytes) -> str:
    return "b" + base64.b32encode(link).decode().lower().rstrip("=")


class _Reader:
    """Reads values one after the other. Raises BadInput or struct.error where bytes are missing."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.at = 0

    def value(self, depth: int) -> Any:
        """Read the next value."""
        if depth > DEEPEST:
            raise BadInput(f"no DAG-CBOR: deeper than {DEEPEST} levels")
        (first,) = self._unpack(">B")
        major, small = first >> 5, first & 31
        if major == 7:  # noqa: PLR2004 - RFC 8949's numbers of the major types stand here and below
            return self._simple(small)
        argument = self._argument(small)
        value: Any
        match major:
            case 0:
                value = argument
            case 1:
                value = -1 - argument
            case 2:
                value = {"$bytes": base64.b64encode(self._take(argument)).decode().rstrip("=")}
            case 3:
                value = self._take(argument).decode()
            case 4:
                value = [self.value(depth + 1) for _ in range(self._fitting(argument))]
            case 5:
                value = {self._key(): self.value(depth + 1) for _ in range(self._fitting(argument))}
            case _:
                value = self._link(argument)
        return value

    def _argument(self, small: int) -> int:
        if small < 24:  # noqa: PLR2004 - RFC 8949: the argument itself
            return small
        if small not in _ARGUMENTS:
            raise BadInput("no DAG-CBOR: a value of indefinite length")
        return int(self._unpack(_ARGUMENTS[small])[0])

    def _simple(self, small: int) -> Any:
        if small == _DOUBLE:
            # Not in atproto's data model, but it occurs on the v1 wire.
            return self._unpack(">d")[0]
        if small not in _SIMPLE:
            raise BadInput(f"no DAG-CBOR: the simple value {small}")
        return _SIMPLE[small]

    def _key(self) -> str:
        (first,) = self._unpack(">B")
        if first >> 5 != 3:  # noqa: PLR2004 - RFC 8949: text
            raise BadInput("no DAG-CBOR: a key that is no text")
        return self._take(self._argument(first & 31)).decode()

    def _link(self, tag: int) -> dict[str, str]:
        (first,) = self._unpack(">B")
        if tag != _LINK or first >> 5 != 2:  # noqa: PLR2004 - RFC 8949: bytes
            raise BadInput(f"no DAG-CBOR: the tag {tag}")
        link = self._take(self._argument(first & 31))
        if link[:2] != b"\x00\x01":
            raise BadInput("no DAG-CBOR: a link that is no CID of version 1")
        return {"$link": _text_of_link(link[1:])}

    def _fitting(self, count: int) -> int:
        """Return the number of values, if there are enough bytes: each value takes one at least."""
        if count > len(self._raw) - self.at:
            raise BadInput("no DAG-CBOR: it ends too early")
        return count

    def _take(self, size: int) -> bytes:
        taken = self._raw[self.at : self.at + size]
        if len(taken) < size:
            raise BadInput("no DAG-CBOR: it ends too early")
        self.at += size
        return taken

    def _unpack(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self._raw, self.at)
        self.at += struct.calcsize(form)
        return values
