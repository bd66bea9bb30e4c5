"""A question that one part of the archive is asked; the answer is never waited for longer than promised."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 0.8
"""Whoever asks us has the answer within a second, whatever hangs behind us."""


class Verdict(NamedTuple):
    """Whether it works, and what to show."""

    works: bool
    said: dict[str, object]


class Question:
    """Asks in a thread of its own, one at a time: a part that hangs holds up one thread and nobody else."""

    def __init__(self, ask: Callable[[], Verdict]) -> None:
        self._ask = ask
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._lock = Lock()
        self._asked: Future[Verdict] | None = None

    def put(self) -> Future[Verdict]:
        """Ask, unless the last answer is still awaited."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = self._thread.submit(self._ask)
            return self._asked


def answer(asked: Future[Verdict], seconds: float) -> Verdict:
    """Wait so long for an answer; none is an answer too."""
    try:
        return asked.result(timeout=max(0.0, seconds))
    except TimeoutError:
        return Verdict(works=False, said={"reasons": [f"no answer within {PATIENCE_SECONDS:g} s"]})
