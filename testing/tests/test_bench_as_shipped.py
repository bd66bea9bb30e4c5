"""What is measured has what an image has."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing
from testing.performance.bench.as_shipped import AS_SHIPPED


@pytest.mark.parametrize("words", [(), AS_SHIPPED])
def test_pandas_is_out_of_reach_only_as_shipped(words: tuple[str, ...]) -> None:
    if importlib.util.find_spec("pandas") is None:
        missing("no pandas here; pip install pandas")
    done = subprocess.run(
        [sys.executable, "-m", *words, "testing.tests.importing", "pandas"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("ModuleNotFoundError" in done.stderr, done.returncode) == ((True, 1) if words else (False, 0))
