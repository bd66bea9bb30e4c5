"""The fixtures of services/tools/tests: an archive of two hours, and the command on it."""

from __future__ import annotations

from services.tools.tests.conftest import ask, healthy, root, truth

__all__ = ["ask", "healthy", "root", "truth"]
