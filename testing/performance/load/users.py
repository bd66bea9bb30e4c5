"""Locust's users: shares of the firehose, pushes like an ingester's, and readers of the archive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

import gevent
from gevent.pool import Pool
from locust import User, constant_pacing, constant_throughput, events, task
from locust.exception import RescheduleTask

from testing.performance.load.clients import CountsWatch, GeventControl, Pusher, Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.performance.load.plan import RunPlan

POLL_SECONDS = 0.01
PUSHES_A_SECOND = 80.0
READ_EVERY_SECONDS = 2.0
MOST_FOLLOWED = 600


class Session:
    """What all users of one Locust process share."""

    plan: ClassVar[RunPlan]
    watch: ClassVar[CountsWatch]
    _host: ClassVar[GeventControl | None] = None

    @classmethod
    def open(cls, plan: RunPlan) -> None:
        """Use the addresses of a plan."""
        cls.plan = plan
        cls.watch = CountsWatch(plan.redis_url)
        cls._host = None

    @classmethod
    def behind(cls) -> int:
        """Return the number of existing events that are not in Redis yet."""
        cls._host = cls._host or GeventControl(cls.plan.control)
        return int(cls._host.send("status")["tip"]) - sum(cls.watch.pushed)


class FirehoseUser(User):
    """A share of the firehose: raises the host's rate by its share, and follows an event per second.

    It follows the newest event until Redis has acknowledged all events up to it, and until they are in
    Parquet, synced, and acked. The host waits for nobody: a slow pipeline does not lower the rate.
    """

    wait_time = constant_throughput(1)

    def on_start(self) -> None:
        """Add this share to the host's rate."""
        Session.watch.start()
        self._host = GeventControl(Session.plan.control)
        self._followed = Pool(MOST_FOLLOWED)
        if Session.plan.is_driven:
            self._host.send("pace", add=Session.plan.shape.share)

    def on_stop(self) -> None:
        """Take the share away, and wait for the events that are still followed."""
        if Session.plan.is_driven:
            self._host.send("pace", add=-Session.plan.shape.share)
        self._followed.join(Session.plan.timeout)
        self._host.close()

    @task
    def follow(self) -> None:
        """Follow the newest event."""
        tip = int(self._host.send("status")["tip"])
        self._followed.spawn(self._follow, tip, time.perf_counter())

    def _follow(self, tip: int, began: float) -> None:
        watch = Session.watch
        if not self._arrives("websocket to Redis", lambda: sum(watch.pushed) >= tip, began):
            return
        reached = watch.pushed
        self._arrives(
            "websocket to Parquet",
            lambda: all(done >= wanted for done, wanted in zip(watch.committed, reached, strict=True)),
            began,
        )

    def _arrives(self, name: str, condition: Callable[[], bool], began: float) -> bool:
        late: TimeoutError | None = None
        while not condition():
            if time.perf_counter() - began > Session.plan.timeout:
                late = TimeoutError(f"not within {Session.plan.timeout:g} s")
                break
            gevent.sleep(POLL_SECONDS)
        _report("FIREHOSE", name, began, late)
        return late is None


class BufferUser(User):
    """Pushes to the pipeline's Redis server with the ingester's transaction, beside the ingester.

    It uses database 1, as only the ingester may push to the archive's lists. The size of a request is the
    number of bytes that Redis logs.
    """

    wait_time = constant_throughput(PUSHES_A_SECOND)

    def on_start(self) -> None:
        """Connect, and generate events."""
        self._pusher = Pusher(Session.plan.redis_url)

    def on_stop(self) -> None:
        """Remove what was pushed."""
        self._pusher.clear()

    @task
    def push(self) -> None:
        """Push events with a cursor, digests and counts."""
        began = time.perf_counter()
        size = self._pusher.push()
        _report("BUFFER", f"push of {Pusher.EVENTS} events", began, None, size)


class ReaderUser(User):
    """Queries the archive with DuckDB in a native thread while it is written."""

    wait_time = constant_pacing(READ_EVERY_SECONDS)

    def on_start(self) -> None:
        """Start a reader."""
        assert Session.plan.archive is not None
        self._reader = Reader(Session.plan.archive)

    @task
    def read(self) -> None:
        """Run the next query; fewer rows than before, or an unreadable file, is a failure."""
        began = time.perf_counter()
        name, error, rows = gevent.get_hub().threadpool.apply(self._reader.query)
        if name is None:
            raise RescheduleTask
        _report("READER", name, began, None if error is None else ValueError(error), rows)


def _report(kind: str, name: str, began: float, error: Exception | None, size: int = 0) -> None:
    events.request.fire(
        request_type=kind,
        name=name,
        response_time=(time.perf_counter() - began) * 1000,
        response_length=size,
        exception=error,
        context={},
    )
