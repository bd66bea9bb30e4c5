"""One look a second at everything: processes, Redis, both daemons' figures and the host; kept in a file."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Self

import psutil
import redis
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from services.buffer.keys import PUSHED
from services.shared.event import JETSTREAM_STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from websockets.sync.client import ClientConnection

    from testing.performance.load.target import Target

Sample = dict[str, float]
"""Figures by name, and `at`: seconds since the run began. Names ending in `_total` only grow.

`cpu_total.NAME` (seconds), `rss.NAME` (bytes), `written_total.NAME` (bytes) of each process; `tip`, `pushed`,
`waiting` (events), `redis.used` and `redis.max` (bytes), `redis.commands_total`; `machine` (CPUs busy);
and every sample of the daemons' own metrics whose name is in `KEPT`, as they call it.
"""

KEPT = (
    "archive_receive_lag_seconds",
    "archive_receive_paused",
    "archive_receive_reconnects_total",
    "archive_receive_gaps_total",
    "archive_receive_gap_seconds_total",
    "archive_validate_rejects_total",
    "archive_validate_duplicates_total",
    "archive_buffer_latency_seconds_bucket",
    "archive_buffer_resets_total",
    "archive_buffer_memory_share",
    "archive_encode_seconds_bucket",
    "archive_encode_rejects_total",
    "archive_commit_seconds_bucket",
    "archive_commit_rows_total",
    "archive_commit_retries_total",
    "archive_commit_stored_bytes_total",
    "archive_commit_raw_bytes_total",
    "archive_unaccounted_events",
)


class Sampler:
    """Samples in a thread while it is entered; `samples` is what it saw."""

    def __init__(
        self,
        target: Target,
        others: Callable[[], dict[str, int]],
        every: float,
        tell: Callable[[list[Sample]], None],
    ) -> None:
        self.samples: list[Sample] = []
        self._target = target
        self._others = others
        self._every = every
        self._tell = tell
        self._redis = redis.Redis.from_url(target.redis_url, socket_timeout=10)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")
        self._control: ClientConnection | None = None
        self._open = contextlib.ExitStack()
        self.began = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def has_failed(self) -> bool:
        """Whether it ended by itself, which is a defect of ours; its words are on the standard error."""
        return not self._thread.is_alive() and not self._ended.is_set()

    def now(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self.began

    def _run(self) -> None:
        psutil.cpu_percent()
        with (self._target.folder / "samples.jsonl").open("w", encoding="utf-8") as file, self._open:
            while True:
                sample = self._look()
                self.samples.append(sample)
                file.write(json.dumps(sample) + "\n")
                self._tell(self.samples)
                if self._ended.wait(self._every):
                    return

    def _look(self) -> Sample:
        sample: Sample = {"at": self.now(), "machine": psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)}
        for name, pid in {**self._target.pids(), **self._others()}.items():
            sample |= figures_of(name, pid)
        with contextlib.suppress(redis.RedisError):
            sample |= self._of_redis()
        if self._target.control:
            with contextlib.suppress(OSError, WebSocketException):
                sample["tip"] = self._tip()
        for daemon in (self._target.ingester, self._target.writer):
            try:
                heard = daemon.metrics()
            except HTTPException:
                continue  # it died in the middle of its answer
            sample |= {name: value for name, value in heard.items() if name.partition("{")[0] in KEPT}
        return sample

    def _of_redis(self) -> Sample:
        with self._redis.pipeline(transaction=True) as at_once:
            at_once.hmget(PUSHED, [f"{stream}:pushed" for stream in JETSTREAM_STREAMS])
            at_once.info()
            counts, said = at_once.execute()
        keys = [*self._redis.scan_iter("archive:buffer:*"), *self._redis.scan_iter("archive:claim:*")]
        return {
            "pushed": float(sum(int(count or 0) for count in counts)),
            "waiting": float(sum(self._redis.llen(key) for key in keys)),
            "redis.used": float(said["used_memory"]),
            "redis.max": float(said["maxmemory"]),
            "redis.commands_total": float(said["total_commands_processed"]),
        }

    def _tip(self) -> float:
        # Kept open: a host that is down takes no new connection, but tells those it has.
        if self._control is None:
            self._control = self._open.enter_context(connect(self._target.control, max_size=None))
        try:
            self._control.send('{"do": "status"}')
            said: dict[str, Any] = json.loads(self._control.recv())
        except WebSocketException:
            self._control = None
            raise
        return float(said["tip"])


def figures_of(name: str, pid: int) -> Sample:
    """Return the figures of a process and its children; nothing of one that has just ended.

    A child that ended counts on as its parent's: a total that sank would be taken for one begun anew.
    """
    cpu = rss = written = 0.0
    try:
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            used = process.cpu_times()
            cpu += used.user + used.system + used.children_user + used.children_system
            rss += process.memory_info().rss
            # Where it cannot be read, as on macOS, there is no figure, and the limit says so.
            if hasattr(process, "io_counters"):
                written += process.io_counters().write_bytes
    except psutil.Error:
        return {}
    return {f"cpu_total.{name}": cpu, f"rss.{name}": rss, f"written_total.{name}": written}
