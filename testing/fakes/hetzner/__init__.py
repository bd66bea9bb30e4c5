"""A server with the parts of Hetzner's API that provision uses, and faults on request."""

from testing.fakes.hetzner.server import FakeHetzner, Fault

__all__ = ["FakeHetzner", "Fault"]
