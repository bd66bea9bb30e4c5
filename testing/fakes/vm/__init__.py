"""A container that stands in for a rented machine: sshd, a Docker Engine, a firewall."""

from testing.fakes.vm.machine import FakeVM

__all__ = ["FakeVM"]
