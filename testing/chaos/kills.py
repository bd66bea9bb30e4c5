"""Kills writer, ingester and Redis with -9 at random moments, then audits what came of it."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from testing.audit import Audit, audit
from testing.audit.__main__ import stream_of
from testing.chaos.report import show
from testing.chaos.schedule import Death, Victim, schedule
from testing.ending import unwind_on_sigterm
from testing.events import HostView, Traffic
from testing.host import Host
from testing.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKING_SECONDS = 30.0
CATCH_UP_SECONDS = 90.0
SMALL_CHUNKS = {"WRITER_INTERVAL": "0.5", "WRITER_MAX_AGE": "0.5", "WRITER_CHUNK": "300"}
"""Many claims, parts and acks a second: a kill is likely to fall between two of them."""
SMALL_PUSHES = {"INGEST_PUSH_EVENTS": "250"}


@dataclass(frozen=True)
class Plan:
    """One run."""

    seed: int = 1
    events: int = 40_000
    rate: float = 1500.0
    kind: str = "v1"
    deaths: dict[Victim, int] = field(
        default_factory=lambda: {Victim.WRITER: 10, Victim.INGESTER: 10, Victim.REDIS: 5}
    )

    @property
    def seconds(self) -> float:
        """How long the traffic lasts."""
        return self.events / self.rate

    def host(self) -> Host:
        """Return the fake host, not started."""
        options = {"rate": self.rate, "events": self.events, "seed": self.seed, "kind": self.kind}
        return Host({name: str(value) for name, value in options.items()})

    def truth(self, first_us: int) -> Iterator[tuple[str, bytes]]:
        """Yield every event by stream, from the seed."""
        view = HostView("v2") if self.kind == "v2" else HostView("v1")
        for frame in Traffic(self.seed, first_us, self.rate, self.events).truth(view):
            yield stream_of(frame), frame


@dataclass
class Outcome:
    """What came of a run."""

    verdict: Audit
    killed: Counter[Victim]
    """Deaths by SIGKILL of a process that was alive just before."""
    traces: dict[str, int]
    """What the daemons' logs say of it: that the kills fell into work."""
    trouble: list[str]
    """What did not come about in time, or did not end well."""

    @property
    def passed(self) -> bool:
        """Whether nothing is lost, doubled or altered, and all went as it should."""
        return self.verdict.passed and not self.trouble


def run(plan: Plan, folder: Path) -> Outcome:
    """Run the pipeline in `folder`, killing as planned, and judge its archive."""
    pipeline = Pipeline(folder, [plan.host()], ingest=SMALL_PUSHES, write=SMALL_CHUNKS)
    killed: Counter[Victim] = Counter()
    trouble: list[str] = []
    with pipeline:
        pipeline.wait_pushed(1, WORKING_SECONDS)
        began = time.monotonic()
        for death in schedule(plan.seed, plan.deaths, plan.seconds):
            _pause_until(began + death.at)
            killed[death.victim] += _kill(pipeline, death)
        try:
            pipeline.wait_pushed(plan.events, CATCH_UP_SECONDS)
            pipeline.wait_committed(CATCH_UP_SECONDS)
        except TimeoutError as error:
            trouble.append(str(error))
        for name, daemon in (("ingester", pipeline.ingester), ("writer", pipeline.writer)):
            # The last kill may have been a moment ago: before it listens, a process knows no SIGTERM yet.
            daemon.wait_listening()
            code = daemon.stop()
            if code != 0:
                trouble.append(f"the {name} ended with exit code {code}; see {daemon.log}")
        first_us = pipeline.hosts[0].first_us
    trouble += [
        f"{victim}: {killed[victim]} of {count} kills hit a living process"
        for victim, count in plan.deaths.items()
        if killed[victim] != count
    ]
    return Outcome(audit(pipeline.root, plan.truth(first_us)), killed, _traces(pipeline), trouble)


def _kill(pipeline: Pipeline, death: Death) -> bool:
    """Kill one process and start it again at once; True if it was alive and died of SIGKILL."""
    if death.victim is Victim.REDIS:
        process = pipeline.redis.process
        alive = process is not None and process.poll() is None
        pipeline.redis.kill()
        pipeline.redis.start()
    else:
        daemon = pipeline.writer if death.victim is Victim.WRITER else pipeline.ingester
        process, alive = daemon.process, daemon.is_alive
        daemon.kill()
        daemon.start()
    return alive and process is not None and process.returncode == -signal.SIGKILL


def _traces(pipeline: Pipeline) -> dict[str, int]:
    writer, ingester = pipeline.writer, pipeline.ingester
    return {
        "claims found half done": len(writer.logged("claim.recovered")),
        "staged parts swept": sum(line["staged"] for line in writer.logged("recover.swept")),
        "rounds broken off": len(writer.logged("retry")),
        "pushes in doubt": len(ingester.logged("retry")),
        "times resumed from the cursor": len(ingester.logged("buffer.cursor")),
    }


def _pause_until(moment: float) -> None:
    """Wait for a moment: the moments are the experiment, nothing is expected to have happened by then."""
    threading.Event().wait(max(0.0, moment - time.monotonic()))


def main(words: list[str]) -> int:
    """Run once and report; 0 if nothing is lost, doubled or altered."""
    parser = argparse.ArgumentParser(prog="python -m testing.chaos.kills", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--rate", type=float, default=1500.0, help="events a second")
    parser.add_argument("--kind", choices=("v1", "v2"), default="v1", help="of the fake host")
    for victim, count in Plan().deaths.items():
        parser.add_argument(f"--{victim}", type=int, default=count, help=f"how often the {victim} is killed")
    parser.add_argument("--folder", type=Path, help="keep everything here; default: a temporary one")
    asked = parser.parse_args(words)
    deaths = {victim: getattr(asked, victim) for victim in Victim}
    plan = Plan(asked.seed, asked.events, asked.rate, asked.kind, deaths)
    console = Console(highlight=False, soft_wrap=True)
    told = ", ".join(f"{victim} {count} times" for victim, count in deaths.items())
    console.print(f"{plan.events:,} events at {plan.rate:,.0f}/s, seed {plan.seed}; kill -9: {told}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        outcome = run(plan, asked.folder or Path(temporary))
    console.print("killed while alive: " + ", ".join(f"{victim} {n}" for victim, n in outcome.killed.items()))
    console.print("; ".join(f"{what} {count}" for what, count in outcome.traces.items()))
    show(outcome.verdict, console)
    for trouble in outcome.trouble:
        console.print(trouble, style="bold red", markup=False)
    console.print(f"{'PASSED' if outcome.passed else 'FAILED'} in {time.monotonic() - began:.0f} s")
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    unwind_on_sigterm()
    sys.exit(main(sys.argv[1:]))
