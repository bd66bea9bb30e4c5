"""Figures of the writer, read from its metrics; a writer that does not answer is no error."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from services.data_writer.metrics import WriterMetrics
from services.shared.event import Stream
from services.shared.probes import serving
from services.tools.query.figures import ask_writer, unaccounted

STREAMS = (Stream.POSTS, Stream.LIKES)


def test_figures_are_read_from_the_writers_metrics() -> None:
    registry = CollectorRegistry()
    metrics = WriterMetrics(registry, STREAMS)
    metrics.unaccounted.labels(Stream.LIKES).set(-2)
    metrics.depth.labels(Stream.POSTS).set(7)
    with serving(0, registry, lambda: (True, {})) as port:
        found = ask_writer(f"http://127.0.0.1:{port}/metrics")
    assert found is not None
    assert unaccounted(found) == {"posts": None, "likes": -2}
    assert found["archive_buffer_depth_events"] == {"posts": 7, "likes": 0}


def test_without_a_writers_metrics_there_are_no_figures() -> None:
    assert ask_writer("http://127.0.0.1:1/metrics") is None
    with serving(0, CollectorRegistry(), lambda: (True, {})) as port:
        assert ask_writer(f"http://127.0.0.1:{port}/healthz") is None
