"""How orders end: the release that the links lead to, the audit log and the exit code.

Docker is replaced: a test says which releases start. Real Docker is in test_hetzner_deployment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deployment.deploy_agent import flow, preflight, stack, store
from deployment.deploy_agent.execute import execute
from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.orders import BUSY, DONE, FAILED, REFUSED, STUCK, Order, held
from deployment.deploy_agent.preflight import Refused
from deployment.deploy_agent.release import ABOUT, VERIFIED, Release, read, switch
from deployment.deploy_agent.stack import Failed

if TYPE_CHECKING:
    from pathlib import Path

OLD, LIVE, NEW = "1" * 40, "2" * 40, "3" * 40


@dataclass
class Host:
    """A host on which releases in `fails` do not start, and those in `dry` start and take no data."""

    layout: Layout
    fails: set[str] = field(default_factory=set)
    dry: set[str] = field(default_factory=set)
    ups: list[str] = field(default_factory=list)
    downs: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def fetch(self, _layout: Layout, _prefix: str, sha: str) -> Release:
        """Write the folder of a release; its number is the first digit of its commit."""
        folder = self.layout.releases / sha
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT).write_text(json.dumps({"sha": sha, "number": int(sha[0]), "committed_at": 100}))
        release = read(folder)
        assert release is not None
        return release

    def up(self, _layout: Layout, release: Release) -> None:
        """Start, or fail."""
        self.ups.append(release.sha)
        if release.sha in self.fails:
            raise Failed("not every container became healthy")

    def flow(self, _layout: Layout, release: Release, *_: object) -> None:
        """Take data, or fail."""
        if release.sha in self.dry:
            raise Failed("every container is healthy, but no events arrive")

    def down(self, _layout: Layout, release: Release) -> None:
        """Record the call."""
        self.downs.append(release.sha)

    def order(self, verb: str, sha: str) -> int:
        """Give an order; returns the exit code."""
        return execute(self.layout, Order(verb, sha), "somebody", self.lines.append)

    @property
    def links(self) -> tuple[str | None, str | None]:
        """The commits of the current and of the verified release."""
        current, verified = read(self.layout.current), read(self.layout.verified)
        return current.sha if current else None, verified.sha if verified else None

    @property
    def results(self) -> list[str]:
        """The result of each order in the audit log."""
        return [json.loads(line)["result"] for line in self.layout.audit.read_text("utf-8").splitlines()]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    one = Host(Layout(tmp_path))
    monkeypatch.setattr(store, "fetch", one.fetch)
    monkeypatch.setattr(preflight, "host", lambda _: "registry.test/archive")
    for name in ("release_fits", "redis_answers"):
        monkeypatch.setattr(preflight, name, lambda *_: None)
    for name, act in (
        ("pull", lambda *_: None),
        ("up", one.up),
        ("down", one.down),
        ("report", lambda *_: None),
    ):
        monkeypatch.setattr(stack, name, act)
    monkeypatch.setattr(flow, "take_sample", lambda *_: None)
    monkeypatch.setattr(flow, "wait_until_flowing", one.flow)
    return one


def test_a_release_that_works_is_current_and_verified(host: Host) -> None:
    assert host.order("deploy", LIVE) == DONE
    assert host.links == (LIVE, LIVE)
    assert (host.layout.releases / LIVE / VERIFIED).exists()
    assert LIVE in (host.layout.textfile / "deploy.prom").read_text("utf-8")


def test_the_live_commit_again_changes_nothing(host: Host) -> None:
    host.order("deploy", LIVE)
    assert host.order("deploy", LIVE) == DONE
    assert host.ups == [LIVE]
    assert host.results == ["live", "unchanged"]


@pytest.mark.parametrize("how", ["fails", "dry"])
def test_a_release_that_fails_is_rolled_back_to_the_last_verified_one(host: Host, how: str) -> None:
    host.order("deploy", LIVE)
    getattr(host, how).add(NEW)
    assert host.order("deploy", NEW) == FAILED
    assert host.ups == [LIVE, NEW, LIVE]
    assert host.links == (LIVE, LIVE)
    assert host.results == ["live", "rolled back"]


def test_a_failed_first_release_is_removed(host: Host) -> None:
    host.fails.add(NEW)
    assert host.order("deploy", NEW) == FAILED
    assert host.downs == [NEW]
    assert host.links == (None, None)
    assert host.results == ["failed"]


def test_a_failed_rollback_asks_for_a_person(host: Host) -> None:
    host.order("deploy", LIVE)
    host.fails |= {LIVE, NEW}
    assert host.order("deploy", NEW) == STUCK
    assert any("somebody must look" in line for line in host.lines)
    assert host.results[-1] == "stuck"
    # The next release that works recovers from there.
    host.fails.clear()
    assert host.order("deploy", NEW) == DONE
    assert host.links == (NEW, NEW)


def test_an_older_release_is_refused_unless_it_is_a_rollback(host: Host) -> None:
    for sha in (OLD, LIVE):
        host.order("deploy", sha)
    assert host.order("deploy", OLD) == REFUSED
    assert host.links == (LIVE, LIVE)
    assert any("is older than" in line for line in host.lines)
    assert host.order("rollback", OLD) == DONE
    assert host.links == (OLD, OLD)


def test_a_rollback_to_an_unverified_release_is_refused(host: Host) -> None:
    host.order("deploy", LIVE)
    host.fails.add(NEW)
    host.order("deploy", NEW)
    assert host.order("rollback", NEW) == REFUSED
    assert any(f"there are: {LIVE}" in line for line in host.lines)


def test_an_interrupted_order_can_be_repeated(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.order("deploy", LIVE)

    class PowerCut(BaseException):
        """Caught by no handler of the deploy agent."""

    def cut(*_: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr(stack, "up", cut)
        with pytest.raises(PowerCut):
            host.order("deploy", NEW)
    assert host.links == (NEW, LIVE)
    assert host.order("deploy", NEW) == DONE
    assert host.links == (NEW, NEW)
    assert any("was interrupted" in line for line in host.lines)


def test_an_interrupted_first_order_can_be_repeated_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_redis(*_: object) -> None:
        raise Refused("Redis does not answer")

    monkeypatch.setattr(preflight, "redis_answers", no_redis)
    switch(host.layout.current, host.fetch(host.layout, "", NEW))
    assert host.order("deploy", NEW) == DONE
    assert host.links == (NEW, NEW)
    # From now on Redis may hold events.
    assert host.order("deploy", "4" * 40) == REFUSED


def test_a_disk_that_fills_after_the_switch_leads_to_a_rollback(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.order("deploy", LIVE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(flow, "wait_until_flowing", full)
        assert host.order("deploy", NEW) == STUCK
    assert host.links == (LIVE, LIVE)


def test_an_order_beside_another_changes_nothing(host: Host) -> None:
    host.order("deploy", LIVE)
    with held(host.layout.lock, Order("deploy", OLD)):
        assert host.order("deploy", NEW) == BUSY
    assert host.links == (LIVE, LIVE)
    assert any(f"deploy {OLD} since" in line for line in host.lines)
