"""Opens frames as the ingester does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.jetstream.dictionary import Decompressor, load_dictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.jetstream.settings import IngesterSettings


def opener(settings: IngesterSettings) -> Callable[[bytes], bytes]:
    """Return what makes JSON of a frame: nothing to do, unless the hosts compress."""
    if not settings.ingest_compress:
        return bytes
    dictionary = load_dictionary(settings.ingest_dictionary)
    return Decompressor(dictionary, settings.ingest_max_event_bytes).open
