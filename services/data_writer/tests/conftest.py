"""A Redis and a writer, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.data_writer.tests.feeding import FIRST_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]


@pytest.fixture
def writer(pipeline: Pipelines) -> Iterator[Pipeline]:
    """Give a Redis and a writer's settings; no ingester, no host."""
    running = pipeline(start_us=FIRST_US, write={"WRITER_INTERVAL": "1"})
    running.redis.start()
    running.configure()
    yield running
    running.end()
