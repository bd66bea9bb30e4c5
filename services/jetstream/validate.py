"""VALIDATE: a frame, compressed or not, becomes an Event or a Reason why it is none.

Only the envelope must be right (Jetstream's README, "Example events"); the record may be any JSON. Any bytes
from a host give a result. Compressed frames need Jetstream's v1 zstd dictionary, which the operator supplies
(source of its id, size and hash: jetstream, `pkg/models/zstd_dictionary`).
"""

from __future__ import annotations

import hashlib
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import zstandard
from msgspec import UNSET, Raw, UnsetType

from services.shared.errors import BadInput, BrokenInvariant, Transient
from services.shared.event import Event, Reason, stream_of
from services.shared.http import HttpError, download

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.jetstream.settings import IngesterSettings

DEEPEST = 512
"""Deepest nesting. Python's JSON parser fails near 1,000 levels, others at 1,024; indigo writes 32."""
LATEST_TIME_US = 253_402_300_799_999_999
"""The last microsecond of the year 9999; no partition exists for later ones."""
LARGEST_INT64 = (1 << 63) - 1
WRITES = ("create", "update")
DICTIONARY_SHA256 = "b8d77b46933aceecbdd5275a01241efc985c970c78162b8150cf67a26522f70c"
DICTIONARY_TIMEOUT_SECONDS = 30


class _Commit(msgspec.Struct, gc=False):
    rev: str
    operation: str
    collection: str
    rkey: str
    record: Raw | UnsetType = UNSET


class _Numbered(msgspec.Struct, gc=False):
    seq: int


class _Envelope(msgspec.Struct, gc=False):
    did: str
    time_us: int
    kind: str
    cursor: Raw | UnsetType = UNSET
    commit: _Commit | UnsetType = UNSET
    identity: _Numbered | UnsetType = UNSET
    account: _Numbered | UnsetType = UNSET


_decode = msgspec.json.Decoder(_Envelope).decode
_encode = msgspec.json.encode
_IDENTITY = blake2b(digest_size=16)
"""Copied for each event, which is faster than creating one."""


def validate(frame: bytes, largest: int) -> Event:
    """Return the event in a frame of at most `largest` bytes; raises BadInput with a Reason."""
    if len(frame) > largest:
        raise BadInput(Reason.TOO_LARGE)
    envelope = _envelope(frame)
    if not 0 <= envelope.time_us <= LATEST_TIME_US:
        raise BadInput(Reason.INTEGER_OVERFLOW)
    kind = envelope.kind
    if kind == "commit":
        commit = envelope.commit
        if commit is UNSET or (commit.record is UNSET and commit.operation in WRITES):
            raise BadInput(Reason.MISSING_FIELD)
        collection = commit.collection
        facts: tuple[str | int, ...] = (envelope.did, commit.rev, collection, commit.rkey, commit.operation)
    elif kind in ("identity", "account"):
        collection = kind
        facts = (envelope.did, kind, _number(envelope.identity if kind == "identity" else envelope.account))
    else:
        raise BadInput(Reason.UNKNOWN_KIND)
    # Cheapest check first: each level needs a byte to open and one to close.
    if len(frame) > 2 * DEEPEST and frame.count(b"{") + frame.count(b"[") > DEEPEST < _depth(frame):
        raise BadInput(Reason.TOO_DEEP)
    return Event(
        stream_of(kind, collection),
        envelope.time_us,
        None if envelope.cursor is UNSET else _seq(envelope.cursor),
        event_identity(facts),
        frame,
        collection,
    )


def validator(
    largest: int, open_frame: Callable[[bytes], bytes] = bytes
) -> Callable[[bytes], Event | Reason]:
    """Return a function from a frame as received to its Event, or to the Reason why it is rejected."""

    def validated(frame: bytes) -> Event | Reason:
        try:
            return validate(open_frame(frame), largest)
        except BadInput as error:
            return Reason(error.reason)

    return validated


def event_identity(facts: tuple[str | int, ...]) -> bytes:
    """Return the identity of an event: of (did, rev, collection, rkey, operation), or (did, kind, seq)."""
    digest = _IDENTITY.copy()
    digest.update(_encode(facts))
    return digest.digest()


def reject_identity(frame: bytes) -> bytes:
    """Return the identity of a frame that failed validation: the hash of its bytes."""
    return blake2b(frame, digest_size=16, person=b"reject").digest()


def _envelope(frame: bytes) -> _Envelope:
    try:
        # msgspec does not check the encoding of fields that it leaves raw.
        if not frame.isascii():
            frame.decode()
        return _decode(frame)
    except UnicodeDecodeError as error:
        raise BadInput(Reason.BAD_UNICODE) from error
    except msgspec.ValidationError as error:
        raise BadInput(_invalid(str(error))) from error
    except msgspec.DecodeError as error:
        surrogate = "surrogate" in str(error) or "hex escape" in str(error)
        raise BadInput(Reason.BAD_UNICODE if surrogate else Reason.NOT_JSON) from error
    except RecursionError as error:
        raise BadInput(Reason.TOO_DEEP) from error


def _invalid(message: str) -> Reason:
    if "missing required field" in message:
        return Reason.MISSING_FIELD
    return Reason.INTEGER_OVERFLOW if "out of range" in message else Reason.WRONG_TYPE


def _number(numbered: _Numbered | UnsetType) -> int:
    if numbered is UNSET:
        raise BadInput(Reason.MISSING_FIELD)
    if not -LARGEST_INT64 - 1 <= numbered.seq <= LARGEST_INT64:
        raise BadInput(Reason.INTEGER_OVERFLOW)
    return numbered.seq


def _seq(raw: Raw) -> int | None:
    digits = bytes(raw)
    fits = digits.isdigit() and len(digits) <= 19  # noqa: PLR2004 - digits of the largest int64
    return int(digits) if fits and int(digits) <= LARGEST_INT64 else None


def _depth(frame: bytes) -> int:
    depth = deepest = 0
    quoted = escaped = False
    for byte in frame:
        if escaped:
            escaped = False
        elif quoted:
            escaped = byte == 0x5C  # noqa: PLR2004 - backslash
            quoted = byte != 0x22  # noqa: PLR2004 - double quote
        elif byte == 0x22:  # noqa: PLR2004 - double quote
            quoted = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def load_dictionary(location: str) -> bytes:
    """Read the dictionary from a path or an https URL.

    Raises BrokenInvariant when the file is missing or another one, Transient when it cannot be read now.
    """
    try:
        if location.startswith("https://"):
            with download(location, seconds=DICTIONARY_TIMEOUT_SECONDS) as response:
                found = bytes(response.read(1 << 20))
        else:
            found = Path(location).read_bytes()
    except FileNotFoundError as error:
        raise BrokenInvariant(
            f"INGEST_DICTIONARY: no file {location!r}; give the path or https URL of it"
        ) from error
    except (OSError, HttpError, Transient) as error:
        raise Transient(f"INGEST_DICTIONARY: {location!r} cannot be read: {error}") from error
    if hashlib.sha256(found).hexdigest() != DICTIONARY_SHA256:
        raise BrokenInvariant(
            f"INGEST_DICTIONARY: {location!r} is not Jetstream's v1 dictionary (its sha256 differs)"
        )
    return found


class Decompressor:
    """Decompresses frames, to `largest` bytes at most."""

    def __init__(self, dictionary: bytes, largest: int) -> None:
        self._zstd = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))
        self._largest = largest

    def open(self, frame: bytes) -> bytes:
        """Return the JSON in a frame; raises BadInput with TOO_LARGE or NOT_JSON.

        An uncompressed frame is returned as it is: a host or proxy may not support compression.
        """
        if frame[:1] == b"{":
            return frame
        try:
            declared = zstandard.frame_content_size(frame)
            if declared > self._largest:
                raise BadInput(Reason.TOO_LARGE)
            return self._zstd.decompress(frame, max_output_size=self._largest)
        except zstandard.ZstdError as error:
            raise BadInput(Reason.NOT_JSON) from error


def frame_opener(settings: IngesterSettings) -> Callable[[bytes], bytes]:
    """Return the function that decompresses a frame; without INGEST_COMPRESS it returns the frame itself."""
    if not settings.ingest_compress:
        return bytes
    dictionary = load_dictionary(settings.ingest_dictionary)
    return Decompressor(dictionary, settings.ingest_max_event_bytes).open
