"""What one fake host is: its events, its clock, and how a host of its kind is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testing.events import HostView, Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from testing.fakes.jetstream.clock import Clock
    from testing.fakes.jetstream.recording import Recording

PORTABLE_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """One fake host. Defaults are those of the real servers where they have one."""

    source: Traffic | Recording
    clock: Clock
    view: HostView = field(default_factory=HostView)
    """The kind of host, its clock's offset, its sequence numbers."""
    host: str = PORTABLE_HOST
    port: int = 0
    look_back_s: float = 36 * 3600.0
    """Older cursors are clamped to this, silently (v1 trims after 24 h, v2 after 36 h)."""
    outbox: int | None = 50_000
    """v1 only: a live client this many events behind is cut off without a close frame; None never does."""
    time_cursor_rewind_s: float = 0.0
    """v2 only: a time cursor starts at the last multiple of this before it, as in jetstream issue 343."""
    empty_replay_repeats_all: bool = False
    """v1 only: a cursor newer than the newest event, but not in the future, replays all that is kept."""
    zstd_dictionary: Path | None = None
    """The v1 dictionary; without it, compress=true is refused with 501."""
    ping_interval_s: float = 30.0
    seed: int = 0
    """Of the lies that choose (cutover)."""
