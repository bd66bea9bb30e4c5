"""Realistic generated traffic: event i is a function of (seed, i), so tests can recompute every event.

The fake Jetstream host sends these frames; tests compute them again and compare.
"""

from __future__ import annotations

from testing.events.rhythm import Rhythm
from testing.events.traffic import HostView, Traffic

__all__ = ["HostView", "Rhythm", "Traffic"]
