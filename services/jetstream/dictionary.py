"""Jetstream's v1 zstd dictionary: data of the operator's, given by path or URL and checked by its hash.

Source of id, size and hash: jetstream, `pkg/models/zstd_dictionary`.
"""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path

import zstandard

from services.shared.errors import BadInput, BrokenInvariant, Transient
from services.shared.event import Reason

SHA256 = "b8d77b46933aceecbdd5275a01241efc985c970c78162b8150cf67a26522f70c"
TIMEOUT_SECONDS = 30


def load_dictionary(source: str) -> bytes:
    """Read the dictionary from a path or an https URL; raises BrokenInvariant when it is another file."""
    try:
        if source.startswith("https://"):
            with urllib.request.urlopen(source, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - https only
                found = bytes(answer.read(1 << 20))
        else:
            found = Path(source).read_bytes()
    except FileNotFoundError as error:
        raise BrokenInvariant(
            f"INGEST_DICTIONARY: no file {source!r}; give the path or https URL of it"
        ) from error
    except OSError as error:
        raise Transient(f"INGEST_DICTIONARY: {source!r} cannot be read: {error}") from error
    if hashlib.sha256(found).hexdigest() != SHA256:
        raise BrokenInvariant(
            f"INGEST_DICTIONARY: {source!r} is not Jetstream's v1 dictionary (its sha256 differs)"
        )
    return found


class Decompressor:
    """Opens frames compressed with the dictionary; never to more than `largest` bytes."""

    def __init__(self, dictionary: bytes, largest: int) -> None:
        self._zstd = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))
        self._largest = largest

    def open(self, frame: bytes) -> bytes:
        """Return the JSON inside; raises BadInput with TOO_LARGE or NOT_JSON.

        A host, or a proxy, that does not compress after all sends the JSON itself.
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
