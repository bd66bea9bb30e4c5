"""The deploy agent's next version takes this one's place only if it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.release import AGENT, Release
from deployment.deploy_agent.self_update import renew
from deployment.pack_deploy_agent import deploy_agent

if TYPE_CHECKING:
    from pathlib import Path

ANSWERS = "import sys\nsys.exit(75 if sys.argv[1:] == ['status', 'a' * 40] else 9)\n"


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


def test_one_that_answers_is_installed(tmp_path: Path) -> None:
    layout = _installed(tmp_path, b"old")
    assert renew(layout, _release(tmp_path / "release", ANSWERS.encode()))
    assert layout.program.read_text() == ANSWERS
    assert layout.program.stat().st_mode & 0o777 == 0o755
    assert not renew(layout, Release(tmp_path / "release", "a" * 40, 7, 100))


def test_one_that_does_not_answer_is_not(tmp_path: Path) -> None:
    layout = _installed(tmp_path, b"old")
    assert not renew(layout, _release(tmp_path / "release", b"import nothing_of_the_kind"))
    assert layout.program.read_bytes() == b"old"


def test_a_release_without_one_leaves_it(tmp_path: Path) -> None:
    layout = _installed(tmp_path, deploy_agent())
    assert not renew(layout, _release(tmp_path / "release", None))
