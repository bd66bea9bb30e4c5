"""Files in the bucket are read as datasets, by hour, and never written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.dataset as ds
import pytest

from services.archive.paths import HOUR_US
from services.shared.event import Stream
from services.tools.offload.bucket import Bucket
from services.tools.offload.index import indexed
from services.tools.offload.remote import datasets
from services.tools.settings import ToolsSettings
from services.tools.tests.making import START_HOUR

if TYPE_CHECKING:
    from services.tools.offload.tests.conftest import OffloadedArchive


def test_a_filter_by_hour_reads_only_that_hour(stored: OffloadedArchive) -> None:
    assert stored.ask("offload").exit_code == 0
    likes = datasets(Bucket(ToolsSettings()), indexed(stored.root, [Stream.LIKES]))[Stream.LIKES]
    assert likes.count_rows() == len(stored.truth[Stream.LIKES])
    table = likes.to_table(columns=["time_us", "hour"], filter=ds.field("hour") == START_HOUR % 24)
    assert 0 < table.num_rows < len(stored.truth[Stream.LIKES])
    assert {time // HOUR_US for time in table["time_us"].to_pylist()} == {START_HOUR}


def test_the_bucket_is_read_only(stored: OffloadedArchive) -> None:
    assert stored.ask("offload").exit_code == 0
    likes = datasets(Bucket(ToolsSettings()), indexed(stored.root, [Stream.LIKES]))[Stream.LIKES]
    with pytest.raises(NotImplementedError, match="read-only"):
        likes.filesystem.delete_file(likes.files[0])
