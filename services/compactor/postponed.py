"""Reasons to postpone the next hour: the ingester is paused, a command waits, or disk space is short."""

from __future__ import annotations

import json
import shutil
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from services.archive.locks import is_exclusive_wanted
from services.shared.http import get_direct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.compactor.job import Job
    from services.compactor.settings import CompactorSettings

POLL_SECONDS = 5.0
"""How long an answer of the ingester is reused: many hours may be small."""
_TIMEOUT_SECONDS = 0.7


class Postponed(NamedTuple):
    """Why an hour is postponed."""

    why: str
    is_error: bool
    """Whether a person has to act."""


class PostponeCheck:
    """Checks for a reason to postpone before each hour."""

    def __init__(self, settings: CompactorSettings) -> None:
        self._root = settings.archive_root
        self._url = settings.compact_jetstream_url
        self._reserve_bytes = settings.archive_disk_free_min_mb * 1_000_000
        self._asked_at = float("-inf")
        self._paused = ""

    def __call__(self, job: Job) -> Postponed | None:
        """Return the reason to postpone this hour, or None."""
        postponed = self.now()
        if postponed:
            return postponed
        short = short_of_space(job, shutil.disk_usage(self._root).free, self._reserve_bytes)
        return Postponed(short, is_error=True) if short else None

    def now(self) -> Postponed | None:
        """Return the reason to postpone any hour, or None."""
        if is_exclusive_wanted(self._root):
            return Postponed("another command waits to change the archive", is_error=False)
        paused = self._why_paused()
        return Postponed(paused, is_error=False) if paused else None

    def _why_paused(self) -> str:
        now = time.monotonic()
        if now - self._asked_at >= POLL_SECONDS:
            self._paused = why_paused(_ask(self._url))
            self._asked_at = time.monotonic()
        return self._paused


def why_paused(health: Mapping[str, object]) -> str:
    """Return why the ingester is paused, from its /healthz; empty when it is not paused or did not answer."""
    return f"the ingester is paused: {health.get('why', '')}" if health.get("state") == "paused" else ""


def short_of_space(job: Job, free: int, reserve: int) -> str:
    """Return why these free bytes are too few to sort the hour on disk and write its files, or nothing."""
    needed = reserve + 4 * sum(file.bytes for file in job.files)
    if free >= needed:
        return ""
    return f"{free / 1e6:.0f} MB are free on the archive's disk, {needed / 1e6:.0f} MB are needed"


def _ask(url: str) -> Mapping[str, object]:
    """Return the ingester's /healthz; empty where nobody answers, which is no reason to postpone."""
    try:
        reply = get_direct(url, seconds=_TIMEOUT_SECONDS)
        # An unhealthy ingester replies with another status; it is not paused.
        health = json.loads(reply.body) if reply.status == HTTPStatus.OK else {}
    except (OSError, ValueError):
        return {}
    return health if isinstance(health, dict) else {}
