"""What a test does to a running stack: container faults, double traffic, and pushes into its Redis."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import defaultdict
from itertools import cycle, islice
from typing import TYPE_CHECKING

import redis

from services.buffer.keys import buffer_key
from services.shared.event import Stream
from testing.events import HostView, Traffic
from testing.fakes.jetstream.client import RefusedError
from testing.harness.programs import docker, inspect
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from testing.harness.stack import Stack

    Fault = Callable[[Stack, str, random.Random], None]
    from collections.abc import Iterator


KILLED = 137
STEP_SECONDS = 0.25
PUSH_EVENTS = 5000
BALLAST = "archive:test:ballast"


def kill(stack: Stack, service: str, rng: random.Random) -> None:
    """Kill a service with SIGKILL, and start it again."""
    name = _name(stack, service)
    docker("kill", "--signal", "KILL", name)
    state = inspect(name)["State"]
    assert (state["Running"], state["ExitCode"]) == (False, KILLED), state
    _hold(rng)
    docker("start", name)


def stop(stack: Stack, service: str, rng: random.Random) -> None:
    """Stop a service in order, and start it again."""
    name = _name(stack, service)
    docker("stop", "--time", "60", name)
    state = inspect(name)["State"]
    assert (state["Running"], state["ExitCode"]) == (False, 0), state
    _hold(rng)
    docker("start", name)


def pause(stack: Stack, service: str, rng: random.Random) -> None:
    """Freeze all of its processes for a while."""
    name = _name(stack, service)
    docker("pause", name)
    assert inspect(name)["State"]["Paused"]
    _hold(rng)
    docker("unpause", name)


def disconnect(stack: Stack, service: str, rng: random.Random) -> None:
    """Disconnect a service from its network, and connect it again under its name."""
    name, network = _name(stack, service), f"{stack.name}_inside"
    docker("network", "disconnect", network, name)
    assert network not in inspect(name)["NetworkSettings"]["Networks"]
    _hold(rng)
    docker("network", "connect", "--alias", service, network, name)


def _name(stack: Stack, service: str) -> str:
    return f"{stack.name}-{service}-1"


def _hold(rng: random.Random) -> None:
    """Let the fault last for a random time: its duration is the experiment, no condition is awaited."""
    threading.Event().wait(rng.uniform(0.0, 3.0))


@contextlib.contextmanager
def double_traffic(stack: Stack) -> Iterator[None]:
    """Let the host's event time run at double speed while inside, over one connection."""
    ended = threading.Event()
    errors: list[str] = []

    def advance() -> None:
        with stack.control() as control:
            before = time.monotonic()
            while not ended.wait(STEP_SECONDS):
                now = time.monotonic()
                try:
                    control.send("advance", seconds=now - before)
                except RefusedError as error:
                    errors.append(str(error))
                before = now

    thread = threading.Thread(target=advance)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not errors, errors


def client(stack: Stack, role: str = "tools") -> redis.Redis:
    """Return a client of the stack's Redis with a role's credentials."""
    return redis.Redis.from_url(stack.redis_url(role), socket_timeout=30)


def events(count: int) -> list[tuple[Stream, bytes]]:
    """Return distinct generated events, each with its stream."""
    traffic, view = Traffic(1, 1_780_000_000_000_000, 500.0, count), HostView()
    return [(Stream(stream_of(frame)), frame) for frame in traffic.truth(view)]


def push(server: redis.Redis, some: list[tuple[Stream, bytes]], count: int) -> Iterator[int]:
    """Push `count` events, repeating `some`; yields the number pushed so far after every push."""
    endless, done = cycle(some), 0
    while done < count:
        by_stream: dict[Stream, list[bytes]] = defaultdict(list)
        for stream, event in islice(endless, min(PUSH_EVENTS, count - done)):
            by_stream[stream].append(event)
        with server.pipeline(transaction=True) as transaction:
            for stream, of_stream in by_stream.items():
                transaction.rpush(buffer_key(stream), *of_stream)
            transaction.execute()
        done += sum(map(len, by_stream.values()))
        yield done


def fill(server: redis.Redis, share: float) -> None:
    """Push ballast until this share of maxmemory is in use, or until Redis refuses."""
    ceiling = int(server.info("memory")["maxmemory"])
    # Ever smaller incompressible blocks, so that in the end not even a few bytes are accepted; each size
    # on a connection of its own, because Redis counts the buffer of a refused block.
    for block in (os.urandom(ceiling // 1000), os.urandom(4096), os.urandom(512)):
        with contextlib.suppress(redis.OutOfMemoryError):
            while server.info("memory")["used_memory"] < share * ceiling:
                server.rpush(BALLAST, block)
        server.connection_pool.disconnect()
