"""A container that is a rented machine as far as our deployment can tell: sshd, an engine, a firewall."""

from testing.fakes.vm.machine import FakeVM

__all__ = ["FakeVM"]
