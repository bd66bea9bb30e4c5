"""A tool's two connections to Redis: one that pushes, one that looks whether it was committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from services.archive.paths import archive_id_path
from services.buffer.claims import Claims
from services.buffer.operator_push import OperatorPusher
from services.shared.errors import BrokenInvariant, Transient
from services.shared.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.shared.lifecycle import Stopping
    from services.shared.settings import Settings

T = TypeVar("T")


class Buffers:
    """The buffers of the archive at ARCHIVE_ROOT, for a tool."""

    def __init__(self, settings: Settings, stopping: Stopping) -> None:
        self._archive_id = _archive_id(settings.archive_root)
        self._stopping = stopping
        self.root = settings.archive_root
        self.pusher = OperatorPusher(settings.redis_address(), stopping)
        self.claims = Claims(settings.redis_address(), stopping)

    def open(self) -> None:
        """Open both connections anew and look at what must be true; raises Transient or BrokenInvariant."""
        self.claims.open(fence=False)
        self.pusher.open(self._archive_id)

    def close(self) -> None:
        """Close both."""
        self.claims.close()
        self.pusher.close()

    def until_done(self, work: Callable[[], T]) -> T | None:
        """Do it, again after every doubt, with fresh connections; None when stopped."""
        return until_done(work, self._stopping, self._failed)

    def _failed(self, _: Transient) -> None:
        until_done(self.open, self._stopping, lambda _: None)


def _archive_id(root: Path) -> str:
    try:
        return archive_id_path(root).read_text(encoding="ascii").strip()
    except OSError as error:
        raise BrokenInvariant(
            f"ARCHIVE_ROOT: {root} is no archive ({error}); give the archive's folder"
        ) from error
