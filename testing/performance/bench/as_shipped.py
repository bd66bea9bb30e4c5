"""Run a module as an image has it: `python -m testing.performance.bench.as_shipped MODULE …`.

The tests' environment has pandas, for readers; an image has not. pyarrow imports it where it finds it, at the
first array, which takes a third of a second of whoever is measured then.
"""

from __future__ import annotations

import runpy
import sys
from importlib.abc import MetaPathFinder

AS_SHIPPED = ("testing.performance.bench.as_shipped",)
"""What a daemon's `starter` is then."""


class Without(MetaPathFinder):
    """Makes the import of a package fail as if it were not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, *_: object) -> None:
        """Refuse the package, and leave all others to those who find them."""
        if fullname == self._package:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def main() -> None:
    """Run the module that is named."""
    sys.meta_path.insert(0, Without("pandas"))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
