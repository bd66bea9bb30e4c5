"""A fake of Jetstream v2's archive of segments: real HTTP, the real format, and faults on request.

It imports nothing from the code that reads segments, so that no mistake is shared.
"""

from __future__ import annotations

from testing.fakes.segments.segment import as_sent, row_of
from testing.fakes.segments.server import FakeSegments, Fault

__all__ = ["FakeSegments", "Fault", "as_sent", "row_of"]
