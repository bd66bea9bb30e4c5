"""Every metric that something exports: ours from the registries, others from a live Prometheus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.request import urlopen

from prometheus_client import CollectorRegistry

from services.compactor.metrics import CompactorMetrics
from services.data_writer.metrics import WriterMetrics
from services.jetstream.metrics import IngesterMetrics
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

OURS = "archive_"
CREATED = "_created"
"""When a counter was born: the client library adds it to each, and nobody needs to see it."""
PARTS = ("_bucket", "_sum", "_count")
"""The names that a histogram is stored under."""


def ours() -> set[str]:
    """Return the names of our samples, without those that say when a counter was created."""
    registry = CollectorRegistry()
    IngesterMetrics(registry)
    WriterMetrics(registry, tuple(Stream))
    CompactorMetrics(registry)
    return {
        sample.name
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith(OURS) and not sample.name.endswith(CREATED)
    } | {
        # A metric whose labels are not known beforehand has no sample yet.
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in registry.collect()
        if not family.samples
    }


def stored(prometheus: str) -> set[str]:
    """Return every name that the Prometheus at this address holds, but for the births of counters.

    Raises OSError when it does not answer.
    """
    address = f"{prometheus}/api/v1/label/__name__/values"
    with urlopen(address, timeout=10) as reply:  # noqa: S310 - the operator's own http address
        found: list[str] = json.loads(reply.read())["data"]
    return {name for name in found if not name.endswith(CREATED)}


def metric_of(sample: str, samples: Iterable[str]) -> str:
    """Return the metric that a sample belongs to: a histogram's parts are one metric."""
    for part in PARTS:
        base = sample.removesuffix(part)
        if base != sample and f"{base}_bucket" in samples:
            return base
    return sample
