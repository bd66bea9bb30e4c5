"""`verify` finds and names each kind of damage, and finds nothing in an undamaged archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from services.archive.paths import hour_directory, removed_path
from services.shared.event import Stream
from services.tools.tests.making import START_HOUR, cover, write

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask

    Events = dict[Stream, list[bytes]]


def faults(ask: Ask, *words: str) -> list[tuple[str, str]]:
    answer = ask("verify", "--json", *words)
    findings = json.loads(answer.stdout)["findings"]
    assert answer.exit_code == (1 if findings else 0)
    return [(finding["fault"], finding["where"]) for finding in findings]


def a_part(root: Path, stream: str = "likes") -> Path:
    return min(root.glob(f"raw/{stream}/**/hour=16/*.parquet"))


def test_a_healthy_archive_has_no_fault(ask: Ask, truth: Events) -> None:
    answer = ask("verify", "--json")
    reported = json.loads(answer.stdout)
    assert (answer.exit_code, reported["findings"]) == (0, [])
    assert reported["rows"] == sum(map(len, truth.values()))
    assert "each event once" in ask("verify").stdout


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_flipped_byte_of_the_rows(share: float, root: Path, ask: Ask) -> None:
    part = a_part(root)
    rows_bytes = int(pq.read_metadata(part).metadata[b"archive.rows_bytes"])
    flip(part, int(rows_bytes * share))
    ((fault, where),) = faults(ask)
    assert fault in ("altered", "unreadable")
    assert where == part.relative_to(root).as_posix()


@pytest.mark.parametrize("left", [0, 3, 100, 0.5, 0.999])
def test_a_truncated_part(left: float, root: Path, ask: Ask) -> None:
    part = a_part(root)
    whole = part.read_bytes()
    part.write_bytes(whole[: int(left if left > 1 else left * len(whole))])
    assert ("unreadable", part.relative_to(root).as_posix()) in faults(ask)


def test_a_part_in_the_wrong_hour(root: Path, ask: Ask) -> None:
    part = a_part(root)
    elsewhere = hour_directory(root, Stream.LIKES, START_HOUR + 5) / part.name
    elsewhere.parent.mkdir(parents=True)
    part.rename(elsewhere)
    assert ("wrong_place", elsewhere.relative_to(root).as_posix()) in faults(ask)


def test_a_part_in_the_wrong_stream(root: Path, ask: Ask) -> None:
    part = a_part(root)
    elsewhere = hour_directory(root, Stream.REPOSTS, START_HOUR) / part.name
    part.rename(elsewhere)
    assert ("wrong_place", elsewhere.relative_to(root).as_posix()) in faults(ask)


def test_a_renamed_part(root: Path, ask: Ask) -> None:
    part = a_part(root)
    elsewhere = part.rename(part.with_name(part.name.replace(part.name[-32:-8], "0" * 24)))
    assert ("wrong_name", elsewhere.relative_to(root).as_posix()) in faults(ask)


def test_a_missing_part_of_a_chunk(root: Path, ask: Ask, truth: Events) -> None:
    # One chunk of both hours.
    first, second = write(root, Stream.FOLLOWS, [*truth[Stream.FOLLOWS], *truth[Stream.FOLLOWS][:1]])
    for part in root.glob("raw/follows/**/*.parquet"):
        if part not in (first, second):
            part.unlink()
    second.unlink()
    found = faults(ask, "--json")
    assert ("missing", "follows 2026-09-21T16") in found


def test_a_missing_part_of_a_closed_hour(root: Path, ask: Ask) -> None:
    parts = sorted(root.glob("raw/likes/**/hour=16/*.parquet"))
    rows = sum(pq.read_metadata(part).num_rows for part in parts)
    hour = {"hour": START_HOUR, "stream": "likes", "state": "closed", "rows": rows, "parts": len(parts)}
    cover(root, hour)
    assert faults(ask) == []
    whole = next(part for part in parts if pq.read_metadata(part).metadata[b"archive.part"] == b"1/1")
    whole.unlink()
    assert faults(ask) == [("missing", "likes 2026-09-21T16")]


def test_hours_removed_on_purpose_are_not_missing(root: Path, ask: Ask, truth: Events) -> None:
    for part in root.glob("raw/follows/**/*.parquet"):
        part.unlink()
    _, second = write(root, Stream.FOLLOWS, truth[Stream.FOLLOWS])
    second.unlink()
    assert [fault for fault, _ in faults(ask)] == ["missing"]
    note = removed_path(root, Stream.FOLLOWS, START_HOUR + 1)
    note.parent.mkdir(parents=True)
    note.write_text("[]")
    cover(root, {"hour": START_HOUR + 1, "stream": "follows", "state": "closed", "rows": 9, "parts": 0})
    assert faults(ask) == []


def test_a_duplicate_within_the_hour(root: Path, ask: Ask, truth: Events) -> None:
    write(root, Stream.LIKES, truth[Stream.LIKES][:7])
    ((fault, where),) = faults(ask)
    assert fault == "duplicate"
    assert where.startswith("raw/likes/year=2026/month=09/day=21/hour=16/")
    assert "7 duplicate events" in ask("verify").stdout


def test_a_duplicate_in_the_next_hour(root: Path, ask: Ask, truth: Events) -> None:
    early = json.loads(truth[Stream.IDENTITIES][0])
    late = early | {"time_us": json.loads(truth[Stream.IDENTITIES][-1])["time_us"]}
    write(root, Stream.IDENTITIES, [json.dumps(late).encode()])
    assert [fault for fault, _ in faults(ask)] == ["duplicate"]


@pytest.mark.parametrize(
    "name", ["raw/likes/notes.txt", "raw/posts/year=2026/x.parquet", "raw/gaps/year=2026/.tmp"]
)
def test_an_unknown_file(name: str, root: Path, ask: Ask) -> None:
    unknown = root / name
    unknown.parent.mkdir(parents=True, exist_ok=True)
    unknown.write_bytes(b"?")
    assert faults(ask) == [("unknown_file", name)]


def test_another_programs_parquet_is_no_part(root: Path, ask: Ask) -> None:
    part = a_part(root)
    pq.write_table(pq.read_table(part, partitioning=None).replace_schema_metadata(), part)
    assert ("unreadable", part.relative_to(root).as_posix()) in faults(ask)


def test_only_damaged_files_are_quarantined_and_only_on_request(root: Path, ask: Ask, truth: Events) -> None:
    part = a_part(root)
    flip(part, 50)
    spoilt = part.read_bytes()
    write(root, Stream.POSTS, truth[Stream.POSTS][:2])
    assert len(faults(ask)) == 2
    assert part.exists()
    shown = ask("verify", "--quarantine")
    assert shown.exit_code == 1
    where = part.relative_to(root)
    assert (root / ".state/quarantine" / f"{where}.quarantined").read_bytes() == spoilt
    assert not part.exists()
    assert [fault for fault, _ in faults(ask)] == ["duplicate"]


def test_hours_can_be_selected(root: Path, ask: Ask) -> None:
    flip(a_part(root), 50)
    assert faults(ask, "--hours", "2026-09-21T17") == []
    assert len(faults(ask, "--hours", "2026-09-21T15..2026-09-21T16")) == 1
    assert ask("verify", "--hours", "2026-09-22..2026-09-21").exit_code == 2


def test_the_ledgers_loss_is_a_finding(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"archive_unaccounted_events": {"likes": -3.0, "posts": 0.0}, "archive_buffer_depth_events": {}}
    monkeypatch.setattr("services.tools.verify.archive_check.ask_writer", lambda _url: figures)
    assert faults(ask) == [("unaccounted", "likes")]


def flip(path: Path, at: int) -> None:
    whole = bytearray(path.read_bytes())
    whole[at] ^= 0x10
    path.write_bytes(whole)
