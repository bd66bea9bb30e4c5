"""A reader that globs while hours are swapped: it sees each event once, or gets an error for a replaced file.

DuckDB lists the files first and opens them after. Between the two an hour may be exchanged: no name of the
old files is in the new directory, so it gets an error and never a mixture; a second attempt succeeds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from services.compactor.tests.archives import BORDER_US, compact, hour_compactor, put
from services.data_writer.tests.feeding import traffic
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

HOURS = 200
EVENTS = 6000

READER = """
import json, random, sys
import duckdb

root = sys.argv[1]
query = "SELECT count(*), count(DISTINCT (did, rev, rkey, operation)) FROM read_parquet(?)"
seen = {"reads": 0, "vanished": 0, "wrong": []}
expected = {}
rng = random.Random(1)
everything = f"{root}/raw/likes/**/*.parquet"
hours = sorted(set(path.rpartition("/")[0] for (path,) in duckdb.execute(
    "SELECT file FROM glob(?)", [everything]).fetchall()))
patterns = [everything] + [f"{hour}/*.parquet" for hour in hours]
for pattern in patterns:
    expected[pattern] = duckdb.execute(query, [pattern]).fetchone()
    assert expected[pattern][0] == expected[pattern][1] > 0
print("ready", flush=True)
import select
while not select.select([sys.stdin], [], [], 0)[0]:
    pattern = everything if rng.random() < 0.1 else rng.choice(patterns)
    try:
        found = duckdb.execute(query, [pattern]).fetchone()
    except duckdb.IOException as error:
        assert "No such file" in str(error) or "No files found" in str(error), error
        seen["vanished"] += 1
        continue
    seen["reads"] += 1
    if found != expected[pattern]:
        seen["wrong"].append([pattern, found])
print(json.dumps(seen), flush=True)
"""


def test_a_reader_in_a_tight_loop_sees_each_event_once_through_200_compactions(tmp_path: Path) -> None:
    events = traffic(EVENTS, first_us=BORDER_US, rate=EVENTS / (HOURS * 3600.0))
    likes = [event for event in events if event[0] == "likes"]
    put(tmp_path, likes[::2])
    put(tmp_path, likes[1::2])
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == "ready\n"
        hours = hour_compactor(tmp_path)
        compact(tmp_path, hours)
        merged = list(tmp_path.glob("raw/likes/**/compacted-*.parquet"))
        reader.stdin.write("stop\n")
        reader.stdin.flush()
        seen = json.loads(reader.stdout.readline())
    assert len(merged) >= HOURS - 1
    assert seen["wrong"] == []
    assert seen["reads"] > 0
    print(seen["reads"], "reads,", seen["vanished"], "of a file that was replaced")
