"""The demo proper: lies on the way, all of it pushed and committed, both daemons stopped, the proof."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from testing.demo.proof import Proof, prove
from testing.demo.stage import Stage
from testing.demo.view import View
from testing.harness.host import Host
from testing.harness.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from testing.demo.source import Lie, Source

PUSH_GRACE_SECONDS = 60.0
"""How much longer than the traffic lasts everything may take to be pushed."""
COMMIT_SECONDS = 60.0
ROUNDS = 10
LONGEST_INTERVAL_SECONDS = 5.0


def make_pipeline(source: Source, folder: Path, archive: Path | None, seconds: float) -> Pipeline:
    """Describe the pipeline of a demo; nothing is started yet."""
    interval = min(LONGEST_INTERVAL_SECONDS, max(1.0, seconds / ROUNDS))
    return Pipeline(
        folder,
        [Host(source.host_options())],
        write={"WRITER_INTERVAL": f"{interval:g}", "WRITER_MAX_AGE": f"{interval:g}"},
        start_us=source.start_us(),
        archive=archive,
    )


def play(pipeline: Pipeline, source: Source, console: Console, seconds: float) -> Proof:
    """Run a demo to its end; raises DemoError, or KeyboardInterrupt with all of it still running."""
    with View(console) as view:
        stage = Stage(pipeline, view)
        view.note("starting the host, Redis, the writer and the ingester")
        pipeline.start()
        liar = Liar(stage, source)
        stage.watch(
            lambda: stage.pushed() >= source.events and stage.rejected() >= source.rejects,
            time.monotonic() + seconds + PUSH_GRACE_SECONDS,
            "receive, validate, buffer | claim, encode, commit",
            liar.lie,
        )
        view.note("the host has fallen silent and everything it ever said is pushed")
        stage.watch(
            stage.is_committed, time.monotonic() + COMMIT_SECONDS, "waiting until everything is committed"
        )
        view.note(
            f"everything is committed; {stage.reconnects()} connections ended on the way, "
            f"{stage.repeats():,} repeats were dropped, {liar.withheld():,} withheld events were read again"
        )
        stage.stop(pipeline.ingester, "ingester")
        stage.stop(pipeline.writer, "writer")
    console.print("Proving it: every event again from its source, every row again from the files ...")
    return prove(pipeline.root, source.truth(pipeline.hosts[0].first_us))


class Liar:
    """Tells the host to tell its lies when their time has come."""

    def __init__(self, stage: Stage, source: Source) -> None:
        self._stage = stage
        self._events = source.events
        self._lies: list[Lie] = source.lies()

    def lie(self) -> None:
        """Tell the next lie, if it is due."""
        if not self._lies or self._stage.pushed() < self._lies[0].after * self._events:
            return
        lie = self._lies.pop(0)
        for command, arguments in lie.orders:
            self._stage.pipeline.hosts[0].send(command, **arguments)
        self._stage.view.note(lie.says)

    def withheld(self) -> int:
        """Return how many events a replay left out."""
        fired: dict[str, int] = self._stage.pipeline.hosts[0].status()["fired"]
        return fired.get("cutover_dropped", 0)
