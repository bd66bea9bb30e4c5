"""A release on disk: its images, which of two is older, and an atomic switch."""

from __future__ import annotations

import json
from pathlib import Path

from deployment.deploy_agent.release import ABOUT, IMAGES, Release, images_of, read, settings, switch


def _release(folder: Path, sha: str = "a" * 40, number: int = 7, committed_at: int = 100) -> Release:
    folder.mkdir(parents=True)
    about = {"sha": sha, "number": number, "committed_at": committed_at, "digest": "r@sha256:1"}
    (folder / ABOUT).write_text(json.dumps(about))
    made = read(folder)
    assert made is not None
    return made


def test_a_release_is_read_through_a_link(tmp_path: Path) -> None:
    release = _release(tmp_path / "one")
    switch(tmp_path / "current", release)
    assert read(tmp_path / "current") == release
    other = _release(tmp_path / "two", "b" * 40)
    switch(tmp_path / "current", other)
    assert read(tmp_path / "current") == other
    assert not (tmp_path / ".current.new").exists()


def test_a_folder_without_a_release_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing") is None
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    assert read(tmp_path / "link") is None
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / ABOUT).write_text('{"sha": ')
    assert read(tmp_path / "half") is None


def test_older_is_decided_by_number_then_by_time() -> None:
    def made(number: int, at: int) -> Release:
        return Release(Path(), "a" * 40, number, at)

    assert made(6, 999).is_older_than(made(7, 100))
    assert made(7, 99).is_older_than(made(7, 100))
    assert not made(7, 100).is_older_than(made(7, 100))
    assert not made(8, 1).is_older_than(made(7, 100))


def test_settings_are_read_as_compose_reads_them(tmp_path: Path) -> None:
    (tmp_path / IMAGES).write_text("IMAGE_A=r/a@sha256:1\n# IMAGE_B=no\n\nIMAGE_C='r/c@sha256:2'\n")
    assert images_of(tmp_path) == ("r/a@sha256:1", "r/c@sha256:2")
    assert settings(tmp_path / "none") == {}
