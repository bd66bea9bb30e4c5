"""A fake of Jetstream v2's archive of segments: real HTTP, the real form, and able to lie.

Imports nothing of what reads it: a shared mistake would find itself right.
"""

from __future__ import annotations

from testing.fakes.segments.server import FakeSegments, Lie
from testing.fakes.segments.told import as_told, row_of

__all__ = ["FakeSegments", "Lie", "as_told", "row_of"]
