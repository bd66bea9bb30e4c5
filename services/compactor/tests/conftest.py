"""A Redis, a writer and a compactor, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.compactor.tests.archives import BORDER_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]


@pytest.fixture
def running(pipeline: Pipelines) -> Iterator[Pipeline]:
    """Give an archive that has just started, its Redis, and a writer and a compactor that do not run yet."""
    made = pipeline(
        start_us=BORDER_US, write={"WRITER_INTERVAL": "1"}, compact={"COMPACT_AFTER_MINUTES": "0"}
    )
    made.redis.start()
    made.configure()
    made.write_once()
    yield made
    made.end()
