"""What is live, what is under way, what can be rolled back to: told, never waited for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deployment.deploy_agent.errors import BUSY, DONE, FAILED
from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.lock import held
from deployment.deploy_agent.order import Order
from deployment.deploy_agent.release import ABOUT, SEEN_TO_WORK, read, switch
from deployment.deploy_agent.status import status

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = "1" * 40, "2" * 40


def _live(layout: Layout, sha: str, *links: str) -> None:
    folder = layout.releases / sha
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).write_text(json.dumps({"sha": sha, "number": int(sha[0]), "committed_at": 100}))
    (folder / SEEN_TO_WORK).touch()
    release = read(folder)
    assert release is not None
    for link in links:
        switch(layout.home / link, release)


def test_an_empty_host_says_so(tmp_path: Path) -> None:
    assert status(Layout(tmp_path), ONE) == (FAILED, ["live: nothing yet"])


def test_what_is_live_and_what_could_be(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    _live(layout, ONE)
    _live(layout, TWO, "good", "current")
    said = status(layout, TWO)
    assert (said.code, said.lines[0]) == (DONE, f"live: {TWO} (no. 2)")
    assert {line.split(",")[0] for line in said.lines[1:]} == {f"here: {ONE}", f"here: {TWO}"}
    assert status(layout, ONE).code == FAILED


def test_an_order_under_way_is_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    _live(layout, ONE, "good", "current")
    with held(layout.lock, Order("deploy", TWO)):
        said = status(layout, ONE)
    assert said.code == BUSY
    assert said.lines[1].startswith(f"under way: deploy {TWO} since ")


def test_an_order_that_was_cut_off_is_told(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    _live(layout, ONE, "good")
    _live(layout, TWO, "current")
    assert any("did not come to its end" in line for line in status(layout, ONE).lines)
