"""Run one fake host: `python -m testing.fakes.jetstream`; prints one JSON line when it listens."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import time
from pathlib import Path

from testing.events import HostView, Traffic
from testing.events.rhythm import Rhythm
from testing.fakes.jetstream.server import FakeJetstream
from testing.fakes.jetstream.settings import PORTABLE_HOST, Clock, Options
from testing.fakes.jetstream.sources import Recording


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.fakes.jetstream", description=__doc__)
    parser.add_argument("--host", default=PORTABLE_HOST)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--kind", choices=("v1", "v2"), default="v1")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the traffic and of the randomly chosen faults"
    )
    parser.add_argument("--rate", type=float, default=500.0, help="events per second of event time")
    parser.add_argument("--events", type=int, help="stop sending after this many")
    parser.add_argument(
        "--rhythm", default="flat", help="variation of the rate, in the format of Rhythm.parse"
    )
    parser.add_argument(
        "--backlog", type=float, default=0.0, help="seconds of event time that have passed at the start"
    )
    parser.add_argument(
        "--first-us", type=int, help="time of the first event; default: now minus the backlog"
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="seconds of event time per second of wall time"
    )
    parser.add_argument("--started", type=float, help="Unix seconds of an earlier start that is continued")
    parser.add_argument("--offset-us", type=int, default=0, help="this host's clock minus the canonical one")
    parser.add_argument("--first-seq", type=int, default=1, help="v2: cursor of event 0")
    parser.add_argument("--batch", type=int, default=3, help="v2: neighbouring events with the same time_us")
    parser.add_argument("--look-back", type=float, default=36 * 3600.0, help="seconds")
    parser.add_argument(
        "--outbox", type=int, default=50_000, help="v1: events a client may lag behind; 0 for no limit"
    )
    parser.add_argument("--time-cursor-rewind", type=float, default=0.0, help="v2: seconds")
    parser.add_argument("--empty-replay-repeats-all", action="store_true", help="v1")
    parser.add_argument("--zstd-dictionary", type=Path)
    parser.add_argument(
        "--file", type=Path, help="replay these frames byte for byte instead of generated traffic"
    )
    return parser.parse_args(words)


def options(parsed: argparse.Namespace) -> Options:
    """Return the host that the command line describes."""
    started = time.time() if parsed.started is None else parsed.started
    first_us = int((started - parsed.backlog) * 1_000_000) if parsed.first_us is None else parsed.first_us
    source: Traffic | Recording = Traffic(
        parsed.seed, first_us, parsed.rate, parsed.events, Rhythm.parse(parsed.rhythm)
    )
    if parsed.file is not None:
        source = Recording(parsed.file, first_us, parsed.rate)
    return Options(
        source=source,
        clock=Clock(first_us, parsed.backlog, parsed.speed, started),
        view=HostView(parsed.kind, parsed.offset_us, parsed.first_seq, parsed.batch),
        host=parsed.host,
        port=parsed.port,
        look_back_s=parsed.look_back,
        outbox=parsed.outbox or None,
        time_cursor_rewind_s=parsed.time_cursor_rewind,
        empty_replay_repeats_all=parsed.empty_replay_repeats_all,
        zstd_dictionary=parsed.zstd_dictionary,
        seed=parsed.seed,
    )


async def run(host: Options) -> None:
    """Listen until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with FakeJetstream(host) as fake:
        clock = host.clock
        addresses = {"url": fake.url, "control": fake.control_url, "port": fake.port}
        print(json.dumps({**addresses, "first_us": clock.first_us, "started": clock.started}), flush=True)
        await stopping.wait()


if __name__ == "__main__":
    # Clients are killed in the middle of a batch on purpose: do not log that.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(run(options(arguments(sys.argv[1:]))))
