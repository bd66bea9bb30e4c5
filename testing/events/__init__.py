"""Believable seeded traffic: event i is a function of (seed, i), so the truth needs no storage.

Stands before the spine: the fake Jetstream sends these frames, tests recompute them to know what is true.
"""

from __future__ import annotations

from testing.events.rhythm import Rhythm
from testing.events.traffic import HostView, Traffic

__all__ = ["HostView", "Rhythm", "Traffic"]
