"""How orders end: which release the links lead to, what the audit log says, which exit code comes out.

Docker is left out: a release comes up, or not, as a test says. The real one is in test_hetzner_deployment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deployment.deploy_agent import preflight, stack, watch, work
from deployment.deploy_agent.errors import BUSY, DONE, FAILED, REFUSED, STUCK, Failed, Refused
from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.lock import held
from deployment.deploy_agent.order import Order
from deployment.deploy_agent.release import ABOUT, SEEN_TO_WORK, Release, read, switch
from deployment.deploy_agent.work import carry_out

if TYPE_CHECKING:
    from pathlib import Path

OLD, GOOD, NEW = "1" * 40, "2" * 40, "3" * 40


@dataclass
class Host:
    """A host on which those of `fails` do not come up, and those of `dry` come up and take no data."""

    layout: Layout
    fails: set[str] = field(default_factory=set)
    dry: set[str] = field(default_factory=set)
    ups: list[str] = field(default_factory=list)
    downs: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def fetch(self, _layout: Layout, _prefix: str, sha: str) -> Release:
        """Write what a bundle would hold; the number is the first digit."""
        folder = self.layout.releases / sha
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT).write_text(json.dumps({"sha": sha, "number": int(sha[0]), "committed_at": 100}))
        release = read(folder)
        assert release is not None
        return release

    def up(self, _layout: Layout, release: Release) -> None:
        """Come up, or not."""
        self.ups.append(release.sha)
        if release.sha in self.fails:
            raise Failed("not every container became healthy")

    def flow(self, _layout: Layout, release: Release, *_: object) -> None:
        """Take data, or not."""
        if release.sha in self.dry:
            raise Failed("every container is healthy, but no events arrive")

    def down(self, _layout: Layout, release: Release) -> None:
        """Note it."""
        self.downs.append(release.sha)

    def order(self, verb: str, sha: str) -> int:
        """Give an order; returns the exit code."""
        return carry_out(self.layout, Order(verb, sha), "somebody", self.lines.append)

    @property
    def links(self) -> tuple[str | None, str | None]:
        """What is current and what is good."""
        current, good = read(self.layout.current), read(self.layout.good)
        return current.sha if current else None, good.sha if good else None

    @property
    def results(self) -> list[str]:
        """How each order ended, by the audit log."""
        return [json.loads(line)["result"] for line in self.layout.audit.read_text("utf-8").splitlines()]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    one = Host(Layout(tmp_path))
    monkeypatch.setattr(work, "fetch", one.fetch)
    monkeypatch.setattr(preflight, "host", lambda _: "registry.test/archive")
    for name in ("release_fits", "redis_answers"):
        monkeypatch.setattr(preflight, name, lambda *_: None)
    for name, act in (
        ("pull", lambda *_: None),
        ("up", one.up),
        ("down", one.down),
        ("tell", lambda *_: None),
    ):
        monkeypatch.setattr(stack, name, act)
    monkeypatch.setattr(watch, "look", lambda *_: None)
    monkeypatch.setattr(watch, "until_data_flow", one.flow)
    return one


def test_a_release_that_works_is_current_and_good(host: Host) -> None:
    assert host.order("deploy", GOOD) == DONE
    assert host.links == (GOOD, GOOD)
    assert (host.layout.releases / GOOD / SEEN_TO_WORK).exists()
    assert GOOD in (host.layout.textfile / "deploy.prom").read_text("utf-8")


def test_the_same_again_touches_nothing(host: Host) -> None:
    host.order("deploy", GOOD)
    assert host.order("deploy", GOOD) == DONE
    assert host.ups == [GOOD]
    assert host.results == ["live", "unchanged"]


@pytest.mark.parametrize("how", ["fails", "dry"])
def test_one_that_does_not_work_gives_way_to_the_last_good_one(host: Host, how: str) -> None:
    host.order("deploy", GOOD)
    getattr(host, how).add(NEW)
    assert host.order("deploy", NEW) == FAILED
    assert host.ups == [GOOD, NEW, GOOD]
    assert host.links == (GOOD, GOOD)
    assert host.results == ["live", "rolled back"]


def test_a_first_one_that_does_not_work_leaves_nothing(host: Host) -> None:
    host.fails.add(NEW)
    assert host.order("deploy", NEW) == FAILED
    assert host.downs == [NEW]
    assert host.links == (None, None)
    assert host.results == ["failed"]


def test_a_way_back_that_fails_calls_for_somebody(host: Host) -> None:
    host.order("deploy", GOOD)
    host.fails |= {GOOD, NEW}
    assert host.order("deploy", NEW) == STUCK
    assert any("somebody must look" in line for line in host.lines)
    assert host.results[-1] == "stuck"
    # Nor is it forgotten: the next good release finds its way from there.
    host.fails.clear()
    assert host.order("deploy", NEW) == DONE
    assert host.links == (NEW, NEW)


def test_an_older_one_is_refused_unless_it_is_a_rollback(host: Host) -> None:
    for sha in (OLD, GOOD):
        host.order("deploy", sha)
    assert host.order("deploy", OLD) == REFUSED
    assert host.links == (GOOD, GOOD)
    assert any("is older than" in line for line in host.lines)
    assert host.order("rollback", OLD) == DONE
    assert host.links == (OLD, OLD)


def test_a_rollback_to_what_never_worked_is_refused(host: Host) -> None:
    host.order("deploy", GOOD)
    host.fails.add(NEW)
    host.order("deploy", NEW)
    assert host.order("rollback", NEW) == REFUSED
    assert any(f"there are: {GOOD}" in line for line in host.lines)


def test_an_order_that_was_cut_off_is_done_anew(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.order("deploy", GOOD)

    class PowerCut(BaseException):
        """Nothing catches it."""

    def cut(*_: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr(stack, "up", cut)
        with pytest.raises(PowerCut):
            host.order("deploy", NEW)
    assert host.links == (NEW, GOOD)
    assert host.order("deploy", NEW) == DONE
    assert host.links == (NEW, NEW)
    assert any("did not come to its end" in line for line in host.lines)


def test_a_first_order_that_was_cut_off_is_done_anew_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_redis(*_: object) -> None:
        raise Refused("Redis does not answer")

    monkeypatch.setattr(preflight, "redis_answers", no_redis)
    switch(host.layout.current, host.fetch(host.layout, "", NEW))
    assert host.order("deploy", NEW) == DONE
    assert host.links == (NEW, NEW)
    # From now on there is something to lose.
    assert host.order("deploy", "4" * 40) == REFUSED


def test_a_disk_that_fills_up_after_the_switch_leads_back_too(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.order("deploy", GOOD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(watch, "until_data_flow", full)
        assert host.order("deploy", NEW) == STUCK
    assert host.links == (GOOD, GOOD)


def test_who_comes_second_changes_nothing(host: Host) -> None:
    host.order("deploy", GOOD)
    with held(host.layout.lock, Order("deploy", OLD)):
        assert host.order("deploy", NEW) == BUSY
    assert host.links == (GOOD, GOOD)
    assert any(f"deploy {OLD} since" in line for line in host.lines)
