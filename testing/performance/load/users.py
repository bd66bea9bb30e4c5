"""Locust's users, as what this system is used by: a firehose, an ingester's pushes, and readers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

import gevent
from gevent.pool import Pool
from locust import User, constant_pacing, constant_throughput, events, task
from locust.exception import RescheduleTask

from testing.performance.load.commander import Commander
from testing.performance.load.pusher import Pusher
from testing.performance.load.reading import Reading
from testing.performance.load.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.performance.load.place import Place

POLL_SECONDS = 0.01
PUSHES_A_SECOND = 80.0
READ_EVERY_SECONDS = 2.0
IN_FLIGHT = 600


class Session:
    """What all users of one Locust process share."""

    place: ClassVar[Place]
    watch: ClassVar[Watch]
    _host: ClassVar[Commander | None] = None

    @classmethod
    def open(cls, place: Place) -> None:
        """Take what the place names."""
        cls.place = place
        cls.watch = Watch(place.redis_url)
        cls._host = None

    @classmethod
    def behind(cls) -> int:
        """Return how many events exist that are not in Redis yet."""
        cls._host = cls._host or Commander(cls.place.control)
        return int(cls._host.tell("status")["tip"]) - sum(cls.watch.pushed)


class FirehoseUser(User):
    """A share of the firehose: makes the host's rate so much higher, and follows an event a second.

    Followed is the newest event there is: until Redis has acknowledged it and all before it, and until they
    are in Parquet, synced, and acked. The host doesn't wait for anybody, so what is late stays offered.
    """

    wait_time = constant_throughput(1)

    def on_start(self) -> None:
        """Add this share."""
        Session.watch.start()
        self._host = Commander(Session.place.control)
        self._followed = Pool(IN_FLIGHT)
        if Session.place.is_driven:
            self._host.tell("pace", add=Session.place.shape.share)

    def on_stop(self) -> None:
        """Take the share away; what is being followed is followed to its end, the slow ones above all."""
        if Session.place.is_driven:
            self._host.tell("pace", add=-Session.place.shape.share)
        self._followed.join(Session.place.patience)
        self._host.close()

    @task
    def follow(self) -> None:
        """Follow the newest event."""
        tip = int(self._host.tell("status")["tip"])
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
            if time.perf_counter() - began > Session.place.patience:
                late = TimeoutError(f"not within {Session.place.patience:g} s")
                break
            gevent.sleep(POLL_SECONDS)
        _told("FIREHOSE", name, began, late)
        return late is None


class BufferUser(User):
    """Pushes to the pipeline's Redis server in the ingester's own transaction, beside the ingester.

    Into the server's database 1: only the ingester may push to the archive's lists, so the cursor, the
    counts and the archive never hear of this. The request's size is the bytes it makes Redis log.
    """

    wait_time = constant_throughput(PUSHES_A_SECOND)

    def on_start(self) -> None:
        """Connect, and make events to push."""
        self._pusher = Pusher(Session.place.redis_url)

    def on_stop(self) -> None:
        """Leave nothing behind."""
        self._pusher.clear()

    @task
    def push(self) -> None:
        """Push some events with a cursor, their digests and their counts."""
        began = time.perf_counter()
        size = self._pusher.push()
        _told("BUFFER", f"push of {Pusher.EVENTS} events", began, None, size)


class ReaderUser(User):
    """Asks the fresh archive questions with DuckDB, in a native thread, while it is written."""

    wait_time = constant_pacing(READ_EVERY_SECONDS)

    def on_start(self) -> None:
        """Begin with nothing seen."""
        assert Session.place.archive is not None
        self._reading = Reading(Session.place.archive)

    @task
    def read(self) -> None:
        """Ask the next question; that rows vanish, or a part cannot be read, is a failure."""
        began = time.perf_counter()
        name, trouble, rows = gevent.get_hub().threadpool.apply(self._reading.ask)
        if name is None:
            raise RescheduleTask
        _told("READER", name, began, None if trouble is None else ValueError(trouble), rows)


def _told(kind: str, name: str, began: float, trouble: Exception | None, size: int = 0) -> None:
    events.request.fire(
        request_type=kind,
        name=name,
        response_time=(time.perf_counter() - began) * 1000,
        response_length=size,
        exception=trouble,
        context={},
    )
