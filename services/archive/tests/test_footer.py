"""Counts and source chunks in footers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.footer import FooterError, accounted, rows_by_epoch, rows_in, sources, split, total

NAME = "1790000000000000-1790000000000009-5-0123456789abcdef01234567.parquet"
PART = {
    "archive.epoch": "3",
    "archive.source_stream": "likes",
    "archive.rows": "5",
    "archive.host": "one",
    "archive.last_cursor": '{"time_us":1790000000000000,"epoch":3,"push":8}',
}
COUNTS = st.dictionaries(
    st.integers(0, 9).map(str), st.dictionaries(st.sampled_from(["likes", "posts"]), st.integers(0, 50))
)


def test_a_part_has_one_epoch_and_one_source_stream() -> None:
    assert rows_by_epoch(PART) == {"3": {"likes": 5}}
    assert accounted(PART) == {"3": {"likes": 5}}
    (source,) = sources(PART, NAME)
    assert (source.chunk, source.epoch, source.push, source.host) == ("0123456789abcdef01234567", 3, 8, "one")


def test_a_compacted_file_has_several_epochs_and_counts_removed_rows() -> None:
    footer = {
        "archive.compacted": "1",
        "archive.rows_by_epoch": '{"1":{"likes":5},"2":{"likes":1}}',
        "archive.removed_by_epoch": '{"2":{"likes":4}}',
    }
    assert accounted(footer) == {"1": {"likes": 5}, "2": {"likes": 5}}


def test_another_name_or_footer_is_an_error_that_names_the_file() -> None:
    assert rows_by_epoch({}) == {}
    with pytest.raises(FooterError, match=r"mine\.parquet"):
        sources({}, "mine.parquet")
    with pytest.raises(FooterError, match="compacted"):
        sources({"archive.compacted": "1"}, f"compacted-{NAME}")


@given(COUNTS, st.integers(0, 300))
def test_split_counts_add_up_to_the_original(counts: dict[str, dict[str, int]], rows: int) -> None:
    taken, left = split(counts, rows)
    assert rows_in(taken) == min(rows, rows_in(counts))
    assert {k: v for k, v in total(taken, left).items() if v} == {k: v for k, v in counts.items() if v}
    assert all(count >= 0 for of_epoch in left.values() for count in of_epoch.values())
