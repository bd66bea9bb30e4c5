"""Snapshots: the same files have the same hash, and any later change is reported."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from services.shared.errors import BadInput, BrokenInvariant
from services.shared.event import Stream
from services.tools.copy.snapshot_manifest import decode, manifest_path
from services.tools.tests.making import START_HOUR, close_hours, cover, write

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask


@pytest.fixture
def closed(root: Path) -> Path:
    """Give the archive with all its hours closed."""
    return close_hours(root)


def test_it_names_every_file_of_closed_hours_with_its_hash(closed: Path, ask: Ask) -> None:
    reported = json.loads(ask("snapshot", "make", "paper", "--json").stdout)
    kept = decode((closed / "snapshots/paper/manifest.json").read_bytes(), "")
    parts = {
        path.relative_to(closed).as_posix(): path for path in closed.glob("raw/*/year=*/**/hour=*/*.parquet")
    }
    assert {one.path for one in kept.files} == set(parts)
    assert all(hashlib.sha256(parts[one.path].read_bytes()).hexdigest() == one.sha256 for one in kept.files)
    assert reported["sha256"] == kept.sha256
    assert (reported["first_hour"], reported["last_hour"], reported["hours"]) == (
        "2026-09-21T16",
        "2026-09-21T17",
        2,
    )
    assert kept.sha256 in ask("snapshot", "list").stdout
    assert ask("verify").exit_code == 0, "verify does not count the manifest as an unknown file"


def test_snapshots_of_the_same_files_have_the_same_hash(closed: Path, ask: Ask) -> None:
    assert ask("snapshot", "one").exit_code == 0
    assert ask("snapshot", "two").exit_code == 0
    one, two = (decode(manifest_path(closed, name).read_bytes(), "") for name in ("one", "two"))
    assert one.sha256 == two.sha256
    assert ask("snapshot", "one").exit_code == 2, "a snapshot never changes"


def test_open_hours_are_left_out(root: Path, ask: Ask) -> None:
    assert ask("snapshot", "none").exit_code == 2
    cover(root, {"hour": START_HOUR, "stream": "likes", "state": "closed"})
    reported = json.loads(ask("snapshot", "make", "some", "--json").stdout)
    kept = decode((root / "snapshots/some/manifest.json").read_bytes(), "")
    assert {one.path.split("/hour=")[0] for one in kept.files} == {"raw/likes/year=2026/month=09/day=21"}
    assert reported["hours"] == 1


def test_later_changes_are_reported(closed: Path, ask: Ask, truth: dict[Stream, list[bytes]]) -> None:
    assert ask("snapshot", "paper").exit_code == 0
    write(closed, Stream.LIKES, truth[Stream.LIKES][:3])
    assert ask("snapshot", "verify", "paper").exit_code == 0, "what was added later is none of its files"
    first, second = sorted(closed.glob("raw/likes/**/*.parquet"))[:2]
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    answer = ask("snapshot", "verify", "paper", "--json")
    reported = json.loads(answer.stdout)
    assert answer.exit_code == 1
    assert sorted(reported["wrong"].values()) in (["altered", "gone"], ["gone"], ["altered"])
    assert reported["wrong"]


def test_an_altered_manifest_is_refused(closed: Path, ask: Ask) -> None:
    assert ask("snapshot", "paper").exit_code == 0
    path = closed / "snapshots/paper/manifest.json"
    path.write_text(path.read_text().replace("likes/", "posts/", 1))
    answer = ask("snapshot", "verify", "paper")
    assert answer.exit_code == 2
    assert "altered" in answer.stderr
    with pytest.raises(BrokenInvariant):
        decode(b"{}", "there")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
def test_invalid_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        manifest_path(tmp_path, name)
