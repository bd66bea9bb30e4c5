"""The steps of a deployment test: each acts on a small production and checks the result."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.orders import BUSY, DONE, FAILED, REFUSED
from testing.harness.redis import free_port
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.production import Production

LAYOUT = Layout()
UP_SECONDS = 420
INGESTER = "services/jetstream/main.py"
# A full disk for releases, settings and the deploy agent.
FILL = (
    "mkdir -p /mnt/small; mount -t tmpfs -o size=64m small /mnt/small; cp -a /opt/archive/. /mnt/small/; "
    "mount --bind /mnt/small /opt/archive; head -c 60M /dev/zero >/opt/archive/ballast"
)
TARGETS = ("jetstream", "data_writer", "redis", "node", "prometheus", "alertmanager")
OBSTACLES = (
    (
        "cp /etc/hosts /tmp/hosts; echo '192.0.2.1 archive.test' >/etc/hosts",
        "cat /tmp/hosts >/etc/hosts",
        "leads to 192.0.2.1, not here; correct its DNS records",
    ),
    (
        "mv /opt/archive/shared/secrets/redis_writer /tmp/",
        "mv /tmp/redis_writer /opt/archive/shared/secrets/",
        "the secret redis_writer is missing",
    ),
    (FILL, "umount /opt/archive; umount /mnt/small", "make room on the host"),
)
"""What is done to the machine, how it is undone, and the refusal of a deploy in between."""


def first(production: Production, sha: str) -> None:
    """Deploy the first release on an empty machine: data flow."""
    done = production.deploy(sha)
    assert done.returncode == DONE, done.stdout
    assert "data flow" in done.stdout
    assert production.status(sha).returncode == DONE
    assert production.audit_lines()[-1]["by"] != "somebody on the host"
    metric = production.vm.run(f"cat {LAYOUT.textfile}/deploy.prom")
    assert f'archive_deploy_timestamp_seconds{{sha="{sha}"}}' in metric
    published = production.vm.run("docker ps --format '{{.Names}} {{.Ports}}' | grep -e '->' | cut -d' ' -f1")
    assert published.split() == ["bluesky-archive-caddy-1"]


def again(production: Production, sha: str) -> None:
    """Deploy the same commit again: nothing changes."""
    before = production.containers()
    done = production.deploy(sha)
    assert done.returncode == DONE, done.stdout
    assert "is live already; nothing changed" in done.stdout
    assert production.containers() == before
    assert production.audit_lines()[-1]["result"] == "unchanged"


def break_the_ingester(production: Production) -> str:
    """Commit an ingester that exits at its start; returns the commit."""
    path = production.releases.tree / INGESTER
    whole = path.read_text("utf-8")
    path.write_text('raise SystemExit("broken on purpose")\n', "utf-8")
    sha = production.releases.commit("broken")
    production.releases.build(sha)
    path.write_text(whole, "utf-8")
    return sha


def change_the_ingester(production: Production, why: str) -> str:
    """Commit an ingester that differs and works; returns the commit."""
    path = production.releases.tree / INGESTER
    path.write_text(f"{path.read_text('utf-8')}# {why}\n", "utf-8")
    sha = production.releases.commit(why)
    production.releases.build(sha)
    return sha


def broken(production: Production, sha: str, verified: str) -> None:
    """Deploy a broken release: it is rolled back automatically."""
    done = production.deploy(sha)
    assert done.returncode == FAILED, done.stdout
    assert "broken on purpose" in done.stdout
    assert f"rolled back: {verified[:12]}" in done.stdout
    assert production.status(verified).returncode == DONE
    line = production.audit_lines()[-1]
    assert (line["sha"], line["result"], line["previous"]) == (sha, "rolled back", verified)


def second(production: Production, sha: str) -> None:
    """Deploy another release: unchanged containers keep running, above all Redis."""
    before = production.containers()
    done = production.deploy(sha)
    assert done.returncode == DONE, done.stdout
    after = production.containers()
    assert {service for service in after if after[service] != before[service]} == {"jetstream"}


def refused(production: Production, sha: str, older: str, live: str) -> None:
    """Put every obstacle in the way: the refusal names the remedy, and nothing changes."""
    vm, before = production.vm, production.containers()
    unbuilt = "0" * 40
    _refused(production, older, f"is older than {live[:12]}")
    _refused(production, unbuilt, "let its build finish, or run it again")
    _refused(production, unbuilt, "no verified release of", verb="rollback")
    for do, undo, sentence in OBSTACLES:
        vm.run(f"set -e; {do}")
        try:
            _refused(production, sha, sentence)
        finally:
            vm.run(undo)
    assert production.containers() == before
    assert production.status(live).returncode == DONE


def wrong_keys(production: Production, sha: str) -> None:
    """Deploy with wrong keys, addresses and known hosts: each is reported, and no order is sent."""
    vm, lines = production.vm, len(production.audit_lines())
    other = vm.admin_key.with_suffix(".pub").read_text("utf-8").split()[1]
    other_host = f"[127.0.0.1]:{vm.ssh_port} ssh-ed25519 {other}\n"
    for changed, sentence in (
        ({"DEPLOY_KNOWN_HOSTS": other_host}, "the host's key is not the one in DEPLOY_KNOWN_HOSTS"),
        (
            {"DEPLOY_KNOWN_HOSTS": "elsewhere.test ssh-ed25519 AAAA"},
            "DEPLOY_KNOWN_HOSTS has no key of this host",
        ),
        ({"DEPLOY_KEY": vm.admin_key.read_text("utf-8")}, "the host does not accept DEPLOY_KEY"),
        ({"DEPLOY_KEY": "no key"}, "DEPLOY_KEY is no private key"),
        ({"DEPLOY_PORT": str(free_port())}, "nothing listens on DEPLOY_HOST"),
        ({"DEPLOY_HOST": "nowhere.invalid"}, "DEPLOY_HOST has no address"),
    ):
        done = production.deploy(sha, **changed)
        assert done.returncode == REFUSED, done.stdout
        assert f"nothing was deployed: {sentence}" in done.stdout, done.stdout
    assert len(production.audit_lines()) == lines


def two_at_once_and_a_client_killed(production: Production, sha: str, other: str) -> None:
    """Send two orders and kill the first client: the second is refused, the first completes."""
    with production.start_deploying(sha) as client:
        assert client.stdout is not None
        for line in client.stdout:
            if "switching" in line:
                break
        refused_order = production.deploy(other)
        assert refused_order.returncode == BUSY, refused_order.stdout
        assert f"deploy {sha} since" in refused_order.stdout
        os.killpg(client.pid, signal.SIGKILL)
    wait_for(lambda: production.status(sha).returncode == DONE, UP_SECONDS, "the order completes")
    assert production.audit_lines()[-1]["result"] == "live"


def rolled_back_by_hand(production: Production, sha: str) -> None:
    """Roll back to a release that is still on the host."""
    done = production.deploy(sha, "rollback")
    assert done.returncode == DONE, done.stdout
    assert production.status(sha).returncode == DONE


def targets_down(production: Production) -> list[str]:
    """Return the jobs of Prometheus whose target is not up."""
    targets = production.prometheus("targets")["activeTargets"]
    assert len(targets) >= len(TARGETS)
    return [target["labels"]["job"] for target in targets if target["health"] != "up"]


def fires(production: Production, alert: str) -> bool:
    """Return whether an alert is pending or fires in Prometheus."""
    query = quote(f'ALERTS{{alertname="{alert}"}}')
    return bool(production.prometheus(f"query?query={query}")["result"])


def was_sent(production: Production, alert: str, before: int) -> bool:
    """Return whether a notification of a firing alert arrived, behind the first `before` alerts."""
    received = production.webhook.alerts()[before:]
    return any(one["labels"]["alertname"] == alert and one["status"] == "firing" for one in received)


def timed(name: str, step: Callable[..., None], *given: object) -> str:
    """Run a step; returns a line with its duration."""
    began = time.monotonic()
    step(*given)
    return f"{name:<44} {time.monotonic() - began:6.1f} s"


def _refused(production: Production, sha: str, sentence: str, verb: str = "deploy") -> None:
    done = production.deploy(sha, verb)
    assert done.returncode == REFUSED, done.stdout
    assert sentence in done.stdout, done.stdout
    assert "nothing changed" in done.stdout
