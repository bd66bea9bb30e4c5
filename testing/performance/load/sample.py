"""Samples of the whole run: processes, Redis, both daemons' metrics and the host; written to a file."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Self

import psutil
import redis
from websockets.exceptions import WebSocketException

from services.buffer.keys import PUSHED
from services.shared.event import JETSTREAM_STREAMS
from testing.fakes.jetstream.client import control_connection
from testing.harness.redis import waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from testing.fakes.jetstream.client import Control
    from testing.performance.load.target import Target

Sample = dict[str, float]
"""Figures by name, and `at`: seconds since the run began. Names that end in `_total` are counters.

`cpu_total.NAME` (seconds), `rss.NAME` (bytes), `written_total.NAME` (bytes) of each process; `tip`, `pushed`,
`waiting` (events), `redis.used` and `redis.max` (bytes), `redis.commands_total`; `machine` (CPUs busy);
and the daemons' metrics whose name is in `KEPT`.
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
    """Takes samples in a thread while inside."""

    def __init__(
        self,
        target: Target,
        others: Callable[[], dict[str, int]],
        every: float,
        show: Callable[[list[Sample]], None],
    ) -> None:
        self.samples: list[Sample] = []
        self._target = target
        self._others = others
        self._every = every
        self._show = show
        self._redis = redis.Redis.from_url(target.redis_url, socket_timeout=10)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")
        self._control: Control | None = None
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
        """Whether the thread has failed, which is a defect; its traceback is on the standard error."""
        return not self._thread.is_alive() and not self._ended.is_set()

    def now(self) -> float:
        """Return the seconds since the sampler was made."""
        return time.monotonic() - self.began

    def _run(self) -> None:
        psutil.cpu_percent()
        with (self._target.folder / "samples.jsonl").open("w", encoding="utf-8") as file, self._open:
            while True:
                sample = self._take()
                self.samples.append(sample)
                file.write(json.dumps(sample) + "\n")
                self._show(self.samples)
                if self._ended.wait(self._every):
                    return

    def _take(self) -> Sample:
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
                metrics = daemon.metrics()
            except HTTPException:
                continue  # it ended in the middle of its answer
            sample |= {name: value for name, value in metrics.items() if name.partition("{")[0] in KEPT}
        return sample

    def _of_redis(self) -> Sample:
        with self._redis.pipeline(transaction=True) as at_once:
            at_once.hmget(PUSHED, [f"{stream}:pushed" for stream in JETSTREAM_STREAMS])
            at_once.info()
            counts, info = at_once.execute()
        return {
            "pushed": float(sum(int(count or 0) for count in counts)),
            "waiting": float(waiting(self._redis)),
            "redis.used": float(info["used_memory"]),
            "redis.max": float(info["maxmemory"]),
            "redis.commands_total": float(info["total_commands_processed"]),
        }

    def _tip(self) -> float:
        # Kept open: a host that is down accepts no new connection.
        if self._control is None:
            self._control = self._open.enter_context(control_connection(self._target.control))
        try:
            return float(self._control.send("status")["tip"])
        except WebSocketException:
            self._control = None
            raise


def figures_of(name: str, pid: int) -> Sample:
    """Return the figures of a process and its children; empty if it has just ended.

    The processor time of ended children is included: a counter must not go down.
    """
    cpu = rss = written = 0.0
    try:
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            used = process.cpu_times()
            cpu += used.user + used.system + used.children_user + used.children_system
            rss += process.memory_info().rss
            # Not available on macOS: then there is no figure, and its limit is broken.
            if hasattr(process, "io_counters"):
                written += process.io_counters().write_bytes
    except psutil.Error:
        return {}
    return {f"cpu_total.{name}": cpu, f"rss.{name}": rss, f"written_total.{name}": written}
