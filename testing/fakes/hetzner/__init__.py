"""A server that speaks Hetzner's API, as far as provision asks, and refuses on command."""

from testing.fakes.hetzner.server import FakeHetzner, Fault

__all__ = ["FakeHetzner", "Fault"]
