"""Run a module without pandas, as in an image: `python -m testing.performance.bench.as_shipped MODULE ...`.

The tests' environment has pandas, an image has not. pyarrow imports it, if installed, with the first
array, which would add a third of a second to a measurement.
"""

from __future__ import annotations

import runpy
import sys
from importlib.abc import MetaPathFinder

AS_SHIPPED = ("testing.performance.bench.as_shipped",)
"""Value of a daemon's `starter`."""


class WithoutPackage(MetaPathFinder):
    """Makes the import of a package fail, as if it were not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, *_: object) -> None:
        """Raise ModuleNotFoundError for the package; leave others to other finders."""
        if fullname == self._package:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def main() -> None:
    """Run the module that the command line names."""
    sys.meta_path.insert(0, WithoutPackage("pandas"))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
