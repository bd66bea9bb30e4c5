"""Pure: which rows are an account's, as SQL over the columns of each stream."""

from __future__ import annotations

import re

from services.jetstream.settings import DID
from services.shared.errors import BadInput
from services.shared.event import Stream

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
    """Return for each stream that can hold rows of the account when a row is one; never NULL.

    `mentions`: also rows of others that name the account. A reject is no event that could be read, so its
    bytes decide: one that names the account goes either way. Raises BadInput for what is no DID.
    """
    if not DID.fullmatch(did):
        raise BadInput(f"{did!r} is no DID; write it as did:plc:ewvi7nxzyoun6zhxrhs64oiz")
    found = {Stream.REJECTS: _named("frame::VARCHAR", did)}
    for stream in Stream:
        if stream in (Stream.REJECTS, Stream.GAPS):
            continue
        ways = [f"did = '{did}'"]
        if mentions:
            ways += [f"starts_with({column}, 'at://{did}/')" for column in _URIS.get(stream, ())]
            ways += [_named(column, did) for column in _TEXTS.get(stream, ())]
        found[stream] = f"coalesce({' OR '.join(f'coalesce({way}, false)' for way in ways)}, false)"
    return found


def _named(column: str, did: str) -> str:
    # No letter of a DID may follow: did:web:a.org is not did:web:a.org.uk.
    return f"regexp_matches({column}, '{re.escape(did)}([^A-Za-z0-9._:%-]|[.:]?$|[.:][^A-Za-z0-9._:%-])')"
