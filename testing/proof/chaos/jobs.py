"""Runs side by side, each in a process that can be ended in the midst of one and leaves nothing running."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
from typing import TYPE_CHECKING

from testing.harness.programs import unwind_on_signals
from testing.proof.chaos.run import Outcome, run_seed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from multiprocessing.process import BaseProcess
    from pathlib import Path

LOOK_SECONDS = 1.0
UNWIND_SECONDS = 60.0


def outcomes(
    seeds: Iterable[int], jobs: int, folder: Path, patience: float
) -> Generator[Outcome, None, None]:
    """Carry out the run of each seed, so many at a time, and yield what came of it, in the order of ending.

    Raises RuntimeError when a process died of itself.
    """
    context = multiprocessing.get_context("spawn")
    to_do, done = context.Queue(), context.Queue()
    left = 0
    for seed in seeds:
        to_do.put(seed)
        left += 1
    for _ in range(jobs):
        to_do.put(None)
    workers: list[BaseProcess] = [
        context.Process(target=_work, args=(to_do, done, folder, patience)) for _ in range(jobs)
    ]
    for worker in workers:
        worker.start()
    try:
        while left:
            try:
                yield done.get(timeout=LOOK_SECONDS)
                left -= 1
            except queue.Empty:
                if any(worker.exitcode for worker in workers):
                    raise RuntimeError("a process that carries out runs has died; see above") from None
    finally:
        if left:
            for worker in workers:
                worker.terminate()
        for worker in workers:
            worker.join(UNWIND_SECONDS)
        to_do.cancel_join_thread()


def _work(
    to_do: multiprocessing.Queue[int | None],
    done: multiprocessing.Queue[Outcome],
    folder: Path,
    patience: float,
) -> None:
    unwind_on_signals()
    # Its end is asked for when nobody is interested in what it does any more.
    with contextlib.suppress(KeyboardInterrupt):
        while (seed := to_do.get()) is not None:
            done.put(run_seed(seed, folder / str(seed), patience))
