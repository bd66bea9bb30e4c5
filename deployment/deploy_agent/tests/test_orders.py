"""Orders are parsed strictly, run one at a time, and the status needs no lock."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.orders import (
    BUSY,
    DONE,
    FAILED,
    Busy,
    Order,
    held,
    holder,
    is_held,
    parse,
    status,
)
from deployment.deploy_agent.release import ABOUT, VERIFIED, read, switch
from testing.harness.daemons import REPOSITORY
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

SHA = "0123456789abcdef0123456789abcdef01234567"
ONE, TWO = "1" * 40, "2" * 40
ORDER = Order("deploy", "a" * 40)
HOLDER = """
import sys, time
from pathlib import Path
from deployment.deploy_agent.orders import Order, held
with held(Path(sys.argv[1]), Order("deploy", "b" * 40)):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_order_gets_the_holder_and_its_time(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    with held(path, ORDER):
        assert is_held(path)
        with pytest.raises(Busy, match=r"deploy a{40} since \d\d:\d\d:\d\d UTC"), held(path, ORDER):
            pass
        # The refused order left the lock file as it was.
        assert re.match("deploy a{40}", holder(path))
    assert not is_held(path)


def test_a_lock_file_that_does_not_exist_is_not_held(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "lock")


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    words = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert is_held(path)
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not is_held(path), 10, "the lock is free")
    with held(path, ORDER):
        assert is_held(path)


@pytest.mark.parametrize("verb", ["deploy", "rollback", "status"])
def test_an_order_is_a_verb_and_a_commit(verb: str) -> None:
    assert parse(f"{verb} {SHA}") == Order(verb, SHA)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id",
        SHA,
        "deploy",
        f"deploy {SHA[:12]}",
        f"deploy {SHA.upper()}",
        f"deploy  {SHA}",
        f" deploy {SHA}",
        f"deploy {SHA}\n",
        f"deploy {SHA}; id",
        f"deploy {SHA} && id",
        f"deploy {SHA}$(id)",
        f"deploy {SHA}0",
        f"destroy {SHA}",
        f"work deploy {SHA}",
    ],
)
def test_any_other_text_is_no_order(text: str) -> None:
    assert parse(text) is None


def _live(layout: Layout, sha: str, *links: str) -> None:
    folder = layout.releases / sha
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).write_text(json.dumps({"sha": sha, "number": int(sha[0]), "committed_at": 100}))
    (folder / VERIFIED).touch()
    release = read(folder)
    assert release is not None
    for link in links:
        switch(layout.home / link, release)


def test_an_empty_host_has_nothing_live(tmp_path: Path) -> None:
    assert status(Layout(tmp_path), ONE) == (FAILED, ["live: nothing yet"])


def test_status_lists_the_live_release_and_those_to_roll_back_to(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    _live(layout, ONE)
    _live(layout, TWO, "verified", "current")
    code, lines = status(layout, TWO)
    assert (code, lines[0]) == (DONE, f"live: {TWO} (no. 2)")
    assert {line.split(",")[0] for line in lines[1:]} == {f"on this host: {ONE}", f"on this host: {TWO}"}
    assert status(layout, ONE)[0] == FAILED


def test_status_names_the_order_under_way(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    _live(layout, ONE, "verified", "current")
    with held(layout.lock, Order("deploy", TWO)):
        code, lines = status(layout, ONE)
    assert code == BUSY
    assert lines[1].startswith(f"under way: deploy {TWO} since ")


def test_status_names_an_interrupted_order(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    _live(layout, ONE, "verified")
    _live(layout, TWO, "current")
    assert any("was interrupted" in line for line in status(layout, ONE)[1])
