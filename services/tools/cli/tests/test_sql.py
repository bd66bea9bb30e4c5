"""Queries see each event once and all columns of empty streams, and cannot change a file."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from services.archive.paths import HOUR_US
from services.archive.schema import SCHEMAS
from services.shared.event import Stream
from services.tools.tests.making import START_US, write

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask


def test_each_stream_has_a_view(ask: Ask, truth: dict[Stream, list[bytes]]) -> None:
    for stream in Stream:
        counted = ask("sql", "--json", f"FROM {stream} SELECT count(*) AS n").stdout
        assert json.loads(counted) == [{"n": len(truth.get(stream, []))}]


def test_an_empty_stream_has_its_columns(ask: Ask) -> None:
    columns = ", ".join([*SCHEMAS[Stream.GAPS].names, "year", "hour"])
    answer = ask("sql", "--json", f"FROM gaps SELECT {columns}")
    assert answer.exit_code == 0, answer.stderr
    assert json.loads(answer.stdout) == []


@pytest.mark.parametrize("stream", list(Stream))
def test_an_empty_view_has_the_types_of_a_full_one(stream: Stream, ask: Ask, root: Path) -> None:
    types = f"FROM (DESCRIBE {stream}) SELECT column_name, column_type"
    full = ask("sql", "--json", types).stdout
    for part in (root / "raw" / stream).rglob("*.parquet"):
        part.unlink()
    assert json.loads(ask("sql", "--json", types).stdout) == json.loads(full)


def test_duplicates_in_an_open_hour_are_hidden(
    ask: Ask, root: Path, truth: dict[Stream, list[bytes]]
) -> None:
    write(root, Stream.LIKES, truth[Stream.LIKES][:50])
    counted = ask("sql", "--json", "SELECT count(*) AS n FROM likes WHERE hour = 16").stdout
    early = [one for one in truth[Stream.LIKES] if json.loads(one)["time_us"] < START_US + HOUR_US]
    assert json.loads(counted) == [{"n": len(early)}]


def test_a_filter_on_the_partition_reads_only_its_files(ask: Ask) -> None:
    plan = ask("sql", "EXPLAIN ANALYZE SELECT count(*) FROM likes WHERE hour = 3").stdout
    assert "Total Files Read: 0" in plan


def test_csv_has_a_header_and_times_in_utc(ask: Ask, truth: dict[Stream, list[bytes]]) -> None:
    query = "SELECT did, event_time, tags FROM posts ORDER BY time_us LIMIT 1"
    header, row = csv.reader(io.StringIO(ask("sql", "--csv", query).stdout))
    first = json.loads(truth[Stream.POSTS][0])
    assert header == ["did", "event_time", "tags"]
    assert row[0] == first["did"]
    assert row[1].startswith("2026-09-21 16:0")
    assert row[1].endswith("Z")


def test_a_truncated_table_says_so(ask: Ask) -> None:
    shown = ask("sql", "SELECT 'row' FROM range(1001)").stdout
    assert "more than 1,000 rows" in shown
    assert shown.count("  row  ") == 1000


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '{root}/likes/x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/likes/x.csv'",
        "SELECT 1; COPY (SELECT 1) TO '{root}/likes/x.csv'",
        "ATTACH '{root}/x.db'",
        "EXPORT DATABASE '{root}/x'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELEC 1",
        "SELECT nothing FROM posts",
        "",
    ],
)
def test_statements_that_could_change_files_are_refused(query: str, ask: Ask, root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    answer = ask("sql", query.format(root=root))
    assert answer.exit_code == 2
    assert answer.stderr.strip()
    assert answer.stdout == ""
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_tables_can_be_created_in_memory(ask: Ask) -> None:
    query = "CREATE TABLE mine AS SELECT did FROM posts LIMIT 3; SELECT count(*) AS n FROM mine"
    assert json.loads(ask("sql", "--json", query).stdout) == [{"n": 3}]
    assert json.loads(ask("sql", "--json", "PIVOT posts ON operation USING count(*)").stdout)
