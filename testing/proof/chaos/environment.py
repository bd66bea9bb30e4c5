"""The environment of a run: hosts, Redis, daemons, the proxies between them, and a record of the faults."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis

from services.archive.paths import parse_name
from services.shared.event import JETSTREAM_STREAMS
from testing.events import HostView, Traffic
from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.harness.proxy import Proxy
from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import DISTURBED, TRAPPED, Component, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.shared.crash_points import CrashPoint
    from testing.harness.daemons import Daemon
    from testing.proof.chaos.plan import Plan

REDIS_TIMEOUT_SECONDS = 2.0
"""Instead of the daemons' 15: a fault that outlasts it then takes seconds, not half a minute."""
HOUR_US = 3_600_000_000
BEFORE_BORDER_US = 3_000_000
FAST_US = 600_000_000
BLIND_SPEED = 5.0
"""Event seconds per second for BLIND, where a collection must be absent for half a minute of event time."""
LOOK_BACK_SECONDS = 3.0
UNENDING = 10_000_000
SECOND_VIEW = {"offset-us": "250000", "first-seq": "9000001"}
PROVE_SECONDS = 60.0
"""How long a fault may take to have its effect."""


class NotInjectedError(Exception):
    """A fault had no provable effect."""


@dataclass(frozen=True)
class Allowance:
    """How many events may be doubled because of a fault."""

    kind: Kind
    events: int


@dataclass
class Environment:
    """A run in progress. Faults change it from their own threads, each under the locks of its components."""

    plan: Plan
    pipeline: Pipeline
    first_us: int
    proxies: dict[Component, Proxy]
    """INGESTER and WRITER: between that daemon and Redis; HOST: between the ingester and the first host.
    Only where the plan needs one."""
    injected: Counter[Kind] = field(default_factory=Counter)
    crashed: Counter[CrashPoint] = field(default_factory=Counter)
    allowed: list[Allowance] = field(default_factory=list)
    planted: list[bytes] = field(default_factory=list)
    """Frames that are not events, sent by the host."""
    views: list[HostView] = field(default_factory=list)
    """How the hosts have numbered and dated the events."""
    rewound: list[tuple[int, int]] = field(default_factory=list)
    """From which event on the first host's clock is behind, and by how many microseconds."""
    locks: dict[Component, threading.Lock] = field(
        default_factory=lambda: {component: threading.Lock() for component in Component}
    )

    @property
    def host(self) -> Host:
        """The first host."""
        return self.pipeline.hosts[0]

    def daemon(self, component: Component) -> Daemon:
        """Return a daemon."""
        return self.pipeline.ingester if component is Component.INGESTER else self.pipeline.writer

    def traffic(self, total: int) -> Traffic:
        """Return the traffic of the network: its first `total` events."""
        return Traffic(self.plan.seed, self.first_us, float(self.plan.rate), total)

    def tip(self) -> int:
        """Return how many events have happened so far."""
        return int(self.host.status()["tip"])

    def tools(self) -> contextlib.closing[redis.Redis]:
        """Open a Redis client with the rights of an operator; the caller closes it."""
        return contextlib.closing(self.pipeline.tools())

    def cursor(self) -> dict[str, object]:
        """Return the stored cursor; empty when there is none or Redis does not answer."""
        try:
            with self.tools() as tools:
                stored = tools.get("archive:cursor")
        except redis.RedisError:
            return {}
        return dict(json.loads(stored)) if isinstance(stored, bytes) else {}

    def is_confirmed(self) -> bool:
        """Whether a writer has confirmed the cursor since Redis started."""
        with self.tools() as tools:
            epoch = tools.get("archive:epoch")
            run_id = str(tools.info("server")["run_id"])
        return isinstance(epoch, bytes) and epoch.decode().endswith(run_id) and bool(self.cursor())

    def oldest_checkpoint_us(self) -> int:
        """Return the event time in microseconds up to which every stream is committed."""
        paths = (self.pipeline.root / ".state" / "checkpoints").glob("*.json")
        return min((int(json.loads(path.read_bytes())["time_us"]) for path in paths), default=0)

    def committed_us(self) -> int:
        """Return the newest event time in the names of all parts, in microseconds."""
        raw = self.pipeline.root / "raw"
        parts = (path for stream in JETSTREAM_STREAMS for path in (raw / stream).rglob("*.parquet"))
        names = (parse_name(path.name) for path in parts)
        return max((name.last_us for name in names if name), default=0)

    def restart_redis(self, downtime: float = 0.0) -> None:
        """Kill Redis and start it again on its data."""
        self.pipeline.redis.kill()
        sleep(downtime)
        self.pipeline.redis.start()

    def restart(self, component: Component, downtime: float = 0.0) -> None:
        """Start a daemon that has died, without a crash point."""
        sleep(downtime)
        daemon = self.daemon(component)
        daemon.starter = ()
        daemon.start()

    def wait_parts(self) -> None:
        """Wait until a round has committed parts and moved every checkpoint."""
        start_us = self.first_us - 1_000_000
        wait_for(lambda: self.oldest_checkpoint_us() > start_us, PROVE_SECONDS, "a checkpoint that has moved")

    def has_subscriber(self) -> bool:
        """Whether the first host has a subscriber now."""
        return any(
            one["close_code"] is None and one["refused"] is None for one in self.host.status()["connections"]
        )


def prove(condition: Callable[[], Any], effect: str) -> None:
    """Wait for the effect of a fault; raises NotInjectedError if it does not appear."""
    try:
        wait_for(condition, PROVE_SECONDS, effect)
    except TimeoutError as error:
        raise NotInjectedError(str(error)) from error


def sleep(seconds: float) -> None:
    """Wait: the length of a fault. Nothing is expected to have happened afterwards."""
    threading.Event().wait(max(0.0, seconds))


@contextlib.contextmanager
def environment(plan: Plan, folder: Path) -> Iterator[Environment]:
    """Make the environment of a plan with nothing started; processes that run at the end are killed."""
    # Event time that runs faster must begin in the past, to stay behind the clock.
    now_us = time.time_ns() // 1000 - (FAST_US if Kind.BLIND in plan.kinds else 0)
    first_us = now_us - now_us % HOUR_US - BEFORE_BORDER_US if plan.crosses_hour else now_us
    hosts, views = _hosts(plan, first_us)
    pipeline = Pipeline(folder, hosts, start_us=first_us - 1_000_000)
    server = pipeline.redis
    ports = {Component.INGESTER: server.port, Component.WRITER: server.port, Component.HOST: hosts[0].port}
    with contextlib.ExitStack() as stack:
        proxies = {}
        by_proxy = TRAPPED | DISTURBED
        for component in {by_proxy[kind] for kind in plan.kinds & by_proxy.keys()}:
            proxy = Proxy(ports[component], parses_redis=component is not Component.HOST)
            proxies[component] = stack.enter_context(proxy)
            ports[component] = proxy.port
        urls = {
            component: server.url(component.value).replace(f":{server.port}/", f":{ports[component]}/")
            + f"?socket_timeout={REDIS_TIMEOUT_SECONDS}&socket_connect_timeout={REDIS_TIMEOUT_SECONDS}"
            for component in (Component.INGESTER, Component.WRITER)
        }
        addresses = [f"ws://127.0.0.1:{ports[Component.HOST]}", *(host.address for host in hosts[1:])]
        pipeline.ingest |= {
            "REDIS_URL": urls[Component.INGESTER],
            "INGEST_HOSTS": ",".join(addresses),
            "INGEST_PUSH_EVENTS": str(plan.push_events),
            "INGEST_IDLE_SECONDS": "2",
        }
        pipeline.write |= {
            "REDIS_URL": urls[Component.WRITER],
            "WRITER_INTERVAL": "0.5",
            "WRITER_MAX_AGE": "0.5",
            "WRITER_CHUNK": str(plan.chunk),
        }
        stack.callback(pipeline.end)
        yield Environment(plan, pipeline, first_us, proxies, views=views)


def _hosts(plan: Plan, first_us: int) -> tuple[list[Host], list[HostView]]:
    options = {
        "seed": str(plan.seed),
        "rate": str(plan.rate),
        "events": str(UNENDING),
        "first-us": str(first_us),
        "started": str(time.time()),
        "kind": plan.kind,
    }
    if Kind.BLIND in plan.kinds:
        options["speed"] = str(BLIND_SPEED)
    hosts, views = [Host(options)], [HostView(plan.kind)]
    if plan.kinds & {Kind.FAIL_OVER, Kind.BLIND}:
        hosts.append(Host(options | SECOND_VIEW))
        views.append(HostView(plan.kind, int(SECOND_VIEW["offset-us"]), int(SECOND_VIEW["first-seq"])))
    return hosts, views
