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
from testing.fakes.jetstream.clock import Clock
from testing.fakes.jetstream.recording import Recording
from testing.fakes.jetstream.server import FakeJetstream
from testing.fakes.jetstream.settings import PORTABLE_HOST, Options


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.fakes.jetstream", description=__doc__)
    parser.add_argument("--host", default=PORTABLE_HOST)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--kind", choices=("v1", "v2"), default="v1")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic and of the lies that choose")
    parser.add_argument("--rate", type=float, default=500.0, help="events per second of event time")
    parser.add_argument("--events", type=int, help="silence after so many")
    parser.add_argument(
        "--rhythm", default="flat", help="how the rate rises and falls, as Rhythm.parse reads it"
    )
    parser.add_argument("--backlog", type=float, default=0.0, help="seconds of event time already past")
    parser.add_argument("--first-us", type=int, help="time of the first event; default: now less the backlog")
    parser.add_argument("--speed", type=float, default=1.0, help="event seconds in a wall second")
    parser.add_argument("--started", type=float, help="Unix seconds of an earlier start to go on from")
    parser.add_argument("--offset-us", type=int, default=0, help="this host's clock less the canonical one")
    parser.add_argument("--first-seq", type=int, default=1, help="v2: cursor of event 0")
    parser.add_argument("--batch", type=int, default=3, help="v2: neighbours that share a time_us")
    parser.add_argument("--look-back", type=float, default=36 * 3600.0, help="seconds")
    parser.add_argument("--outbox", type=int, default=50_000, help="v1: events behind; 0 for no bound")
    parser.add_argument("--time-cursor-rewind", type=float, default=0.0, help="v2: seconds")
    parser.add_argument("--empty-replay-repeats-all", action="store_true", help="v1")
    parser.add_argument("--zstd-dictionary", type=Path)
    parser.add_argument("--file", type=Path, help="replay these frames, byte for byte, instead of traffic")
    return parser.parse_args(words)


def options(asked: argparse.Namespace) -> Options:
    """Return the host that the command line describes."""
    started = time.time() if asked.started is None else asked.started
    first_us = int((started - asked.backlog) * 1_000_000) if asked.first_us is None else asked.first_us
    source: Traffic | Recording = Traffic(
        asked.seed, first_us, asked.rate, asked.events, Rhythm.parse(asked.rhythm)
    )
    if asked.file is not None:
        source = Recording(asked.file, first_us, asked.rate)
    return Options(
        source=source,
        clock=Clock(first_us, asked.backlog, asked.speed, started),
        view=HostView(asked.kind, asked.offset_us, asked.first_seq, asked.batch),
        host=asked.host,
        port=asked.port,
        look_back_s=asked.look_back,
        outbox=asked.outbox or None,
        time_cursor_rewind_s=asked.time_cursor_rewind,
        empty_replay_repeats_all=asked.empty_replay_repeats_all,
        zstd_dictionary=asked.zstd_dictionary,
        seed=asked.seed,
    )


async def run(host: Options) -> None:
    """Listen until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with FakeJetstream(host) as fake:
        clock = host.clock
        place = {"url": fake.url, "control": fake.control_url, "port": fake.port}
        print(json.dumps({**place, "first_us": clock.first_us, "started": clock.started}), flush=True)
        await stopping.wait()


if __name__ == "__main__":
    # A client that is killed in the middle of a batch is what this is for, not news for its terminal.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(run(options(arguments(sys.argv[1:]))))
