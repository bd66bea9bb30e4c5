"""Why the next hour has to wait: the ingester is paused, somebody wants the turn, or there is no room."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

from services.archive.turns import is_asked_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.compactor.job import Job
    from services.compactor.settings import CompactorSettings

ASK_SECONDS = 5.0
"""An answer of the ingester holds so long: hours may be small."""
_TIMEOUT_SECONDS = 0.7
# Never through a proxy that somebody configured for the containers: it is a neighbour.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Postponed(NamedTuple):
    """A reason to wait."""

    why: str
    is_trouble: bool
    """Whether somebody has to do something about it."""


class PostponeCheck:
    """Looks for a reason before each hour."""

    def __init__(self, settings: CompactorSettings) -> None:
        self._root = settings.archive_root
        self._url = settings.compact_jetstream_url
        self._reserve_bytes = settings.archive_disk_free_min_mb * 1_000_000
        self._asked_at = float("-inf")
        self._paused = ""

    def __call__(self, job: Job) -> Postponed | None:
        """Return the reason to wait with this hour, or None."""
        postponed = self.now()
        if postponed:
            return postponed
        short = short_of_room(job, shutil.disk_usage(self._root).free, self._reserve_bytes)
        return Postponed(short, is_trouble=True) if short else None

    def now(self) -> Postponed | None:
        """Return the reason to wait with whatever it is, or None."""
        if is_asked_for(self._root):
            return Postponed("a person's command wants its turn", is_trouble=False)
        paused = self._why_paused()
        return Postponed(paused, is_trouble=False) if paused else None

    def _why_paused(self) -> str:
        now = time.monotonic()
        if now - self._asked_at >= ASK_SECONDS:
            self._paused = why_paused(_ask(self._url))
            self._asked_at = time.monotonic()
        return self._paused


def why_paused(said: Mapping[str, object]) -> str:
    """Return why the ingester is paused, by what it says of itself; empty when it is not, or says nothing."""
    return f"the ingester is paused: {said.get('why', '')}" if said.get("state") == "paused" else ""


def short_of_room(job: Job, free: int, reserve: int) -> str:
    """Say why these free bytes are too few for an hour: its sorted rows on disk, and the new files."""
    needed = reserve + 4 * sum(file.bytes for file in job.files)
    if free >= needed:
        return ""
    return f"{free / 1e6:.0f} MB are free on the archive's disk, {needed / 1e6:.0f} MB are needed"


def _ask(url: str) -> Mapping[str, object]:
    """Return what an ingester says at its /healthz; nothing where nobody answers: no reason to wait."""
    try:
        with _direct.open(url, timeout=_TIMEOUT_SECONDS) as answer:
            said = json.loads(answer.read())
    except (OSError, ValueError):
        # One that is failing says so with another status, which ends here too: it is not paused.
        return {}
    return said if isinstance(said, dict) else {}
