"""What building and publishing say when they cannot; that they can is shown against a real registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployment import build, publish
from deployment.commands import ATTESTATIONS, bake, join, push_release
from deployment.running import arguments, place_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOWHERE = ["--prefix", "127.0.0.1:9/me/archive", "--sha", "HEAD"]


def test_a_commit_that_is_not_here_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    for program in (build, publish):
        assert program.main(["--prefix", "r.test/me", "--sha", "0" * 40]) == 1
        assert "bad object" in capfd.readouterr().err


def test_images_that_nobody_pushed_are_told(
    engine: None,  # noqa: ARG001 - for its check
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert publish.main(NOWHERE) == 1
    assert "publish: docker buildx imagetools" in capfd.readouterr().err


def test_a_place_has_a_whole_commit_and_no_capitals() -> None:
    words = ["--prefix", "ghcr.io/You/Archive", "--sha", "HEAD", "--here", "127.0.0.1:5001"]
    place = place_of(arguments("x", None, words))
    assert (place.prefix, place.here) == ("ghcr.io/you/archive", "127.0.0.1:5001/you/archive")
    assert len(place.sha) == 40
    assert place.part("aarch64") == f"{place.sha}-aarch64"


def test_attestations_are_asked_for_only_where_they_are_wanted() -> None:
    assert not set(ATTESTATIONS) & set(bake(["redis"], attested=False))
    assert set(ATTESTATIONS) < set(bake(["redis"], attested=True))
    assert bake(["redis"], attested=True)[-1] == "redis"


def test_one_image_is_made_of_those_for_each_processor(tmp_path: Path) -> None:
    assert join("r/x:1", ["r/x:1-x86_64", "r/x:1-aarch64"])[-3:] == [
        "--tag=r/x:1",
        "r/x:1-x86_64",
        "r/x:1-aarch64",
    ]
    both = push_release("r/release:1", tmp_path, ["linux/amd64", "linux/arm64"])
    assert "--platform=linux/amd64,linux/arm64" in both
    assert not [word for word in push_release("r/release:1", tmp_path, ["linux/amd64"]) if "platform" in word]
