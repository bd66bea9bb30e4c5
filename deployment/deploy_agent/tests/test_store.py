"""Mounted files are named by a hash; old releases are pruned; a deploy agent that answers is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.release import AGENT, Release
from deployment.deploy_agent.store import config_hash, removable, retained, self_update
from deployment.pack_deploy_agent import deploy_agent

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "ghcr.io/me/archive"
ANSWERS = "import sys\nsys.exit(75 if sys.argv[1:] == ['status', 'a' * 40] else 9)\n"


def test_equal_files_have_one_hash_and_other_contents_or_modes_another(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name / "monitoring").mkdir(parents=True)
        (tmp_path / name / "monitoring" / "rules.yml").write_text("up == 0")
    (tmp_path / "c" / "monitoring" / "rules.yml").write_text("up == 1")
    assert config_hash(tmp_path / "a") == config_hash(tmp_path / "b")
    assert config_hash(tmp_path / "a") != config_hash(tmp_path / "c")
    (tmp_path / "b" / "monitoring" / "rules.yml").chmod(0o600)
    assert config_hash(tmp_path / "a") != config_hash(tmp_path / "b")


def _release(folder: Path, brought: bytes | None) -> Release:
    folder.mkdir()
    if brought is not None:
        (folder / AGENT).write_bytes(brought)
    return Release(folder, "a" * 40, 7, 100)


def _installed(tmp_path: Path, program: bytes) -> Layout:
    layout = Layout(tmp_path / "host")
    layout.program.parent.mkdir(parents=True)
    layout.program.write_bytes(program)
    return layout


def test_a_deploy_agent_that_reports_a_status_is_installed(tmp_path: Path) -> None:
    layout = _installed(tmp_path, b"old")
    assert self_update(layout, _release(tmp_path / "release", ANSWERS.encode()))
    assert layout.program.read_text() == ANSWERS
    assert layout.program.stat().st_mode & 0o777 == 0o755
    assert not self_update(layout, Release(tmp_path / "release", "a" * 40, 7, 100))


def test_a_deploy_agent_that_fails_is_not_installed(tmp_path: Path) -> None:
    layout = _installed(tmp_path, b"old")
    assert not self_update(layout, _release(tmp_path / "release", b"import nothing_of_the_kind"))
    assert layout.program.read_bytes() == b"old"


def test_a_release_without_a_deploy_agent_leaves_the_installed_one(tmp_path: Path) -> None:
    layout = _installed(tmp_path, deploy_agent())
    assert not self_update(layout, _release(tmp_path / "release", None))


def test_the_last_three_verified_releases_and_linked_ones_are_retained() -> None:
    verified = {"one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0}
    assert retained(verified, {"one"}) == {"one", "two", "three", "four"}
    assert retained(verified, {"four"}) == {"two", "three", "four"}
    assert retained({}, set()) == set()


def test_only_images_of_ours_and_of_old_releases_are_removed() -> None:
    present = [
        f"{PREFIX}/jetstream@sha256:old",
        f"{PREFIX}/jetstream@sha256:new",
        "prom/prometheus@sha256:old",
        "prom/prometheus@sha256:new",
        "somebody/else@sha256:x",
        f"{PREFIX}-of-another/jetstream@sha256:y",
    ]
    old = {f"{PREFIX}/jetstream@sha256:old", "prom/prometheus@sha256:old", "prom/prometheus@sha256:new"}
    needed = {f"{PREFIX}/jetstream@sha256:new", "prom/prometheus@sha256:new"}
    assert removable(present, PREFIX, old, needed) == [
        f"{PREFIX}/jetstream@sha256:old",
        "prom/prometheus@sha256:old",
    ]


def test_an_image_of_ours_that_no_release_names_is_removed() -> None:
    assert removable([f"{PREFIX}/redis@sha256:orphan"], PREFIX, set(), set()) == [
        f"{PREFIX}/redis@sha256:orphan"
    ]
