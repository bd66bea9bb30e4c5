"""A Redis and a writer without an ingester."""

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
    """Start a Redis and configure a writer, without ingester and Jetstream host."""
    running = pipeline(start_us=FIRST_US, write={"WRITER_INTERVAL": "1"})
    running.redis.start()
    running.configure()
    yield running
    running.end()
