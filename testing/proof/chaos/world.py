"""Everything that a run consists of: hosts, Redis, daemons, the wires between them, and what befell them."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import redis

from services.archive.paths import parse_name
from testing.events import HostView, Traffic
from testing.harness.host import Host
from testing.harness.pipeline import JETSTREAM, Pipeline
from testing.harness.proxy import Proxy
from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import TRAPPED, WIRED, Kind, Part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.shared.crash_points import CrashPoint
    from testing.harness.daemons import Daemon
    from testing.proof.chaos.plan import Plan

REDIS_TIMEOUT_SECONDS = 2.0
"""Instead of the daemons' 15: a server that is stopped for longer need not be stopped for half a minute."""
HOUR_US = 3_600_000_000
BEFORE_BORDER_US = 3_000_000
FAST_US = 600_000_000
BLIND_SPEED = 5.0
"""Event seconds in a second where a collection must be missed for half a minute of event time."""
LOOK_BACK_SECONDS = 3.0
UNENDING = 10_000_000
SECOND_VIEW = {"offset-us": "250000", "first-seq": "9000001"}
PROVE_SECONDS = 60.0
"""What a fault waits for to happen must happen within so much."""


class NotFiredError(Exception):
    """A fault could not prove that it happened."""


@dataclass(frozen=True)
class Allowance:
    """So many events may be doubled for this reason."""

    kind: Kind
    events: int


@dataclass
class World:
    """A run under way. Faults change it from threads of their own, each under the locks of its parts."""

    plan: Plan
    pipeline: Pipeline
    first_us: int
    proxies: dict[Part, Proxy]
    """INGESTER and WRITER: between that daemon and Redis; HOST: between the ingester and the first host.
    Only where the plan needs one."""
    fired: Counter[Kind] = field(default_factory=Counter)
    crashed: Counter[CrashPoint] = field(default_factory=Counter)
    allowed: list[Allowance] = field(default_factory=list)
    planted: list[bytes] = field(default_factory=list)
    """Frames that are no events, sent by the host."""
    views: list[HostView] = field(default_factory=list)
    """As what the hosts have told the events."""
    rewound: list[tuple[int, int]] = field(default_factory=list)
    """From which event on the first host's clock was behind, and by how many microseconds."""
    locks: dict[Part, threading.Lock] = field(
        default_factory=lambda: {part: threading.Lock() for part in Part}
    )

    @property
    def host(self) -> Host:
        """The first host."""
        return self.pipeline.hosts[0]

    def daemon(self, part: Part) -> Daemon:
        """Return the daemon that is this part."""
        return self.pipeline.ingester if part is Part.INGESTER else self.pipeline.writer

    def traffic(self, total: int) -> Traffic:
        """Return all that happens on the network."""
        return Traffic(self.plan.seed, self.first_us, float(self.plan.rate), total)

    def tip(self) -> int:
        """Return how many events there are by now."""
        return int(self.host.status()["tip"])

    def tools(self) -> contextlib.closing[redis.Redis]:
        """Open a client that looks into Redis and sets it up; to be closed."""
        return contextlib.closing(self.pipeline.tools())

    def cursor(self) -> dict[str, object]:
        """Return the stored cursor; empty when there is none or nobody answers."""
        try:
            with self.tools() as tools:
                stored = tools.get("archive:cursor")
        except redis.RedisError:
            return {}
        return dict(json.loads(stored)) if isinstance(stored, bytes) else {}

    def is_confirmed(self) -> bool:
        """Whether a writer has made sure of the cursor in this life of Redis."""
        with self.tools() as tools:
            epoch = tools.get("archive:epoch")
            run_id = str(tools.info("server")["run_id"])
        return isinstance(epoch, bytes) and epoch.decode().endswith(run_id) and bool(self.cursor())

    def oldest_checkpoint_us(self) -> int:
        """Return up to where every stream is committed, in microseconds of event time."""
        paths = (self.pipeline.root / ".state/checkpoints").glob("*.json")
        return min((int(json.loads(path.read_bytes())["time_us"]) for path in paths), default=0)

    def committed_us(self) -> int:
        """Return the newest time in the names of all parts, in microseconds of event time."""
        parts = (
            path for stream in JETSTREAM for path in (self.pipeline.root / "raw" / stream).rglob("*.parquet")
        )
        names = (parse_name(path.name) for path in parts)
        return max((name.last_us for name in names if name), default=0)

    def restart_redis(self, away: float = 0.0) -> None:
        """Kill Redis and start it again on what it left."""
        self.pipeline.redis.kill()
        pause(away)
        self.pipeline.redis.start()

    def restart(self, part: Part, away: float = 0.0) -> None:
        """Start a daemon anew that has died."""
        pause(away)
        daemon = self.daemon(part)
        daemon.starter = ()
        daemon.start()

    def wait_parts(self) -> None:
        """Wait until the archive holds a part and a round is over, so that there is something to harm."""
        start_us = self.first_us - 1_000_000
        wait_for(lambda: self.oldest_checkpoint_us() > start_us, PROVE_SECONDS, "a checkpoint that has moved")

    def follows(self) -> bool:
        """Whether the first host has a subscriber just now."""
        return any(
            one["close_code"] is None and one["refused"] is None for one in self.host.status()["connections"]
        )


def pause(seconds: float) -> None:
    """Let time pass: that it passes is the experiment, nothing is expected to have happened by then."""
    threading.Event().wait(max(0.0, seconds))


@contextlib.contextmanager
def world(plan: Plan, folder: Path) -> Iterator[World]:
    """Make the world of a plan, nothing started; whatever runs at the end is killed."""
    # Event time must not run ahead of the clock where it runs faster.
    now_us = time.time_ns() // 1000 - (FAST_US if Kind.BLIND in plan.kinds else 0)
    first_us = now_us - now_us % HOUR_US - BEFORE_BORDER_US if plan.is_at_border else now_us
    hosts, views = _hosts(plan, first_us)
    pipeline = Pipeline(folder, hosts, start_us=first_us - 1_000_000)
    server = pipeline.redis
    ports = {Part.INGESTER: server.port, Part.WRITER: server.port, Part.HOST: hosts[0].port}
    with contextlib.ExitStack() as stack:
        proxies = {}
        by_proxy = TRAPPED | WIRED
        for part in {by_proxy[kind] for kind in plan.kinds & by_proxy.keys()}:
            proxies[part] = stack.enter_context(Proxy(ports[part], parses_redis=part is not Part.HOST))
            ports[part] = proxies[part].port
        urls = {
            part: server.url(part.value).replace(f":{server.port}/", f":{ports[part]}/")
            + f"?socket_timeout={REDIS_TIMEOUT_SECONDS}&socket_connect_timeout={REDIS_TIMEOUT_SECONDS}"
            for part in (Part.INGESTER, Part.WRITER)
        }
        addresses = [f"ws://127.0.0.1:{ports[Part.HOST]}", *(host.address for host in hosts[1:])]
        pipeline.ingest |= {
            "REDIS_URL": urls[Part.INGESTER],
            "INGEST_HOSTS": ",".join(addresses),
            "INGEST_PUSH_EVENTS": str(plan.push_events),
            "INGEST_IDLE_SECONDS": "2",
        }
        pipeline.write |= {
            "REDIS_URL": urls[Part.WRITER],
            "WRITER_INTERVAL": "0.5",
            "WRITER_MAX_AGE": "0.5",
            "WRITER_CHUNK": str(plan.chunk),
        }
        stack.callback(pipeline.end)
        yield World(plan, pipeline, first_us, proxies, views=views)


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
