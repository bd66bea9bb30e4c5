"""A big hour takes no more memory than a small one, beyond what is set."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from services.compactor.tests.archives import BORDER_US, put
from services.data_writer.tests.feeding import traffic
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 600_000
SORTING_MB = 128
WRITING_MB = 512
"""Python, Arrow and one row group of the largest rows, as rows and as pages."""

MERGER = """
import pathlib, resource, sys
from services.compactor.tests.archives import hour_compactor
found = hour_compactor(pathlib.Path(sys.argv[1]), compact_memory_mb=int(sys.argv[2])).run(close_all=True)
assert found.prepared == 1, found
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_is_bounded_on_a_large_hour(tmp_path: Path) -> None:
    likes = [frame for stream, frame in traffic(40_000, first_us=BORDER_US, rate=100.0) if stream == "likes"]
    for copy in range(ROWS // len(likes) + 1):
        key = b'"rkey":"%05d' % copy
        put(
            tmp_path,
            [("likes", re.sub(rb'"rkey":"\w{5}', key, frame, count=1)) for frame in likes],
            chunk=150_000,
        )
    words = [sys.executable, "-c", MERGER, str(tmp_path), str(SORTING_MB)]
    ended = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    peak_mb = int(ended.stdout.splitlines()[-1])
    print(f"{ROWS:,} rows: {peak_mb} MB at most")
    assert peak_mb <= SORTING_MB + WRITING_MB
