"""The whole deployment on a fake machine; the names of these tests are fixed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deployment.tests import deployment_story as story
from deployment.tests import host
from deployment.tests.certificates import (
    NAMES,
    PASSWORD,
    RENEW_SECONDS,
    Site,
    caddy_authority,
    end,
    pebble_authority,
)
from deployment.tests.public_door import PublicDoor
from deployment.tests.workflows import jobs, run_job, substitutes
from testing.fakes.vm import FakeVM
from testing.harness.fixtures import missing
from testing.harness.namespace import Namespace
from testing.harness.production import Production
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EARLY_RENEWAL = {"RENEW_INTERVAL": "3s", "RENEW_RATIO": "0.95"}
"""The CA's certificates are valid for five minutes; they are renewed after fifteen seconds."""


@pytest.fixture(scope="module")
def production(
    images: str,  # noqa: ARG001 - the upstream's image
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Production]:
    """Yield an empty machine, its registry with the release of the first commit, and an upstream."""
    folder = tmp_path_factory.mktemp("production")
    with FakeVM(folder / "vm") as vm:
        one = Production(vm, folder)
        try:
            one.first = one.releases.clone()
            one.releases.mirror()
            one.releases.build(one.first)
            one.provision()
            yield one
        finally:
            one.end()


@pytest.mark.timeout(1800)
def test_hetzner_deployment(production: Production) -> None:
    one = production
    took = [story.timed("first deploy, on an empty machine", story.first, one, one.first)]
    took.append(story.timed("the same commit again", story.again, one, one.first))
    bad = story.break_the_ingester(one)
    took.append(story.timed("a broken release and its rollback", story.broken, one, bad, one.first))
    newer = story.change_the_ingester(one, "second")
    took.append(story.timed("second deploy", story.second, one, newer))
    third = story.change_the_ingester(one, "third")
    took.append(story.timed("refused six times", story.refused, one, third, one.first, newer))
    took.append(story.timed("wrong keys six times", story.wrong_keys, one, third))
    two = story.two_at_once_and_a_client_killed
    took.append(story.timed("two at once, then the client killed", two, one, third, newer))
    took.append(story.timed("rolled back by hand", story.rolled_back_by_hand, one, newer))
    began = time.monotonic()
    one.wait_committed(one.upstream.end(), 120)
    verdict = audit(one.archive(), one.upstream.truth())
    took.append(f"{'the audit across all of it':<44} {time.monotonic() - began:6.1f} s")
    print("\n".join(["", *took, str(verdict)]))
    assert verdict.passed, str(verdict)


@pytest.mark.timeout(900)
def test_cicd_pipeline(production: Production) -> None:
    """The deploy job of deploy.yml, unchanged, against the machine."""
    production.live()
    sha = story.change_the_ingester(production, "as the workflow deploys it")
    job = jobs()["deploy.yml:deploy"]
    print("\n".join(["", *substitutes(job)]))
    own = production.environment()
    given = {
        "vars": {name: own[name] for name in ("DEPLOY_HOST", "DEPLOY_KNOWN_HOSTS")},
        "secrets": {"DEPLOY_KEY": own["DEPLOY_KEY"]},
    }
    # Only the port differs: sshd does not listen on 22 here.
    surroundings = {"GITHUB_SHA": sha, "DEPLOY_PORT": own["DEPLOY_PORT"]}
    done = run_job(job, production.releases.tree, given, surroundings)
    output = "\n".join(one.stdout for one in done)
    assert [one.returncode for one in done] == [0], output
    assert not any(line in output for line in own["DEPLOY_KEY"].splitlines()[1:-1])
    assert production.status(sha).returncode == 0


@pytest.mark.timeout(900)
def test_monitoring_production(production: Production) -> None:
    """Every target is up, deploys are recorded, and an alert is sent."""
    sha = production.live()
    wait_for(lambda: story.targets_down(production) == [], 120, "every target is up")
    query = quote(f'archive_deploy_timestamp_seconds{{sha="{sha}"}}')
    wait_for(lambda: production.prometheus(f"query?query={query}")["result"], 60, "the deploy is recorded")
    # A deploy on a slow machine may have fired it already.
    wait_for(lambda: not story.fires(production, "IngesterDown"), 120, "no earlier alert fires")
    before = len(production.webhook.alerts())
    production.vm.run("docker stop bluesky-archive-jetstream-1")
    try:
        wait_for(lambda: story.was_sent(production, "IngesterDown", before), 180, "the alert is sent")
    finally:
        production.vm.run("docker start bluesky-archive-jetstream-1")


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Namespace]:
    reason = Namespace.why_not()
    if reason:
        missing(reason)
    for program in ("caddy", "curl", "openssl"):
        if shutil.which(program) is None and program != "caddy":
            missing(f"no {program} here; install it")
    with Namespace(tmp_path, NAMES) as made:
        yield made


def test_ssl_certificates(net: Namespace, tmp_path: Path) -> None:
    directory, root, authority = caddy_authority(net, tmp_path)
    site = Site(net, tmp_path, directory, root, root, EARLY_RENEWAL)
    site.upstream(3000, "stands for Grafana")
    site.start()
    # The chain ends at this authority: curl trusts no other.
    answered = site.get("/").stdout
    assert "stands for Grafana" in answered
    head = answered.partition("\r\n\r\n")[0].lower()
    assert "strict-transport-security: max-age=31536000" in head
    assert "x-content-type-options: nosniff" in head
    assert "server:" not in head
    first = site.certificate()
    assert "A CA of a test" in first
    # As our own probe connects: the alert is on the dates of this certificate.
    assert site.certificate("caddy") == first

    moved = site.get("/x?y=1", scheme="http").stdout
    assert moved.startswith("HTTP/1.1 308 ")
    assert "Location: https://archive.test/x?y=1" in moved

    # The authority is away at the renewal: the site keeps its certificate until the authority is back.
    end(authority)
    wait_for(
        lambda: "could not get certificate" in (tmp_path / "site.log").read_text("utf-8"),
        RENEW_SECONDS,
        "a renewal has failed",
    )
    assert site.get("/").returncode == 0
    assert site.certificate() == first
    caddy_authority(net, tmp_path)
    wait_for(lambda: site.certificate() not in ("", first), RENEW_SECONDS, "the certificate is renewed")
    assert site.get("/").returncode == 0


def test_ssl_certificates_of_another_authority(net: Namespace, tmp_path: Path) -> None:
    if shutil.which("pebble") is None:
        missing("no pebble here; on a Debian machine: make engine")
    directory, trusted, chain = pebble_authority(net, tmp_path)
    site = Site(net, tmp_path, directory, trusted, chain)
    site.upstream(3000, "stands for Grafana")
    site.start()
    assert "stands for Grafana" in site.get("/").stdout
    assert "Pebble Intermediate" in site.certificate()


def test_caddy_serves_grafana_and_health_only(net: Namespace, tmp_path: Path) -> None:
    directory, root, _ = caddy_authority(net, tmp_path)
    site = Site(net, tmp_path, directory, root, root)
    site.upstream(3000, "stands for Grafana")
    healthy = site.upstream(9103, '{"secret": "detail"}')
    site.start()
    output = site.get("/healthz").stdout
    assert output.startswith("HTTP/2 200")
    assert output.endswith("ok")
    assert "secret" not in output
    end(healthy)
    assert site.get("/healthz").stdout.endswith("502 Bad Gateway")
    site.upstream(9103, '{"secret": "detail"}', 503)
    output = site.get("/healthz").stdout
    assert output.startswith("HTTP/2 503")
    assert output.endswith("not ok")
    for inside in ("/metrics", "/prometheus", "/alertmanager", "/healthz/jetstream"):
        assert "stands for Grafana" in site.get(inside).stdout, "everything else goes to Grafana"


def test_readers_get_ranges_of_parts_and_nothing_else(net: Namespace, tmp_path: Path) -> None:
    part = tmp_path / "archive" / "raw" / "posts" / "year=2026" / "part.parquet"
    part.parent.mkdir(parents=True)
    pq.write_table(pa.table({"text": ["hello"] * 1000}), part)
    for name in (".state/checkpoints/posts.json", ".state/id", "raw/posts/.hidden/x"):
        (tmp_path / "archive" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "archive" / name).write_text("inner", "utf-8")
    directory, root, _ = caddy_authority(net, tmp_path)
    site = Site(net, tmp_path, directory, root, root)
    site.upstream(3000, "stands for Grafana")
    site.start()
    path = "/archive/raw/posts/year=2026/part.parquet"
    assert site.get(path).stdout.startswith("HTTP/2 401")
    assert site.get(path, "--user", "reader:wrong").stdout.startswith("HTTP/2 401")
    login = ("--user", f"reader:{PASSWORD}")
    footer = site.get(path, *login, "--range", "-4").stdout
    assert footer.startswith("HTTP/2 206")
    assert footer.endswith("PAR1")
    listed = site.get("/archive/raw/posts/", *login, "--header", "Accept: application/json").stdout
    names = [one["name"] for one in json.loads(listed[listed.index("[") :])]
    assert names == ["year=2026/"]
    for hidden in ("/.state/checkpoints/posts.json", "/.state/id", "/raw/posts/.hidden/x", "/%2estate/id"):
        assert site.get(f"/archive{hidden}", *login, "--path-as-is").stdout.startswith("HTTP/2 404"), hidden
    assert ".state" not in site.get("/archive/", *login).stdout
    assert site.get(path, *login, "--request", "DELETE").stdout.startswith("HTTP/2 405")
    assert part.is_file()


@pytest.fixture(scope="module")
def machine(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVM]:  # noqa: ARG001 - for its check
    """Yield a machine after its first boot, with nothing deployed."""
    with FakeVM(tmp_path_factory.mktemp("machine")) as vm:
        host.boot(vm)
        yield vm


@pytest.mark.timeout(900)
def test_the_host_is_as_its_cloud_config_says(machine: FakeVM) -> None:
    assert machine.run("ls /var/lib/cloud/archive-ready").strip() == "/var/lib/cloud/archive-ready"
    machine.run("sshd -t")
    sshd = set(machine.run("sshd -T -C user=admin,host=x,addr=192.0.2.1").splitlines())
    assert sshd >= {"permitrootlogin no", "passwordauthentication no", "kbdinteractiveauthentication no"}
    assert {"allowusers admin", "allowusers deploy"} <= sshd
    assert "allowtcpforwarding no" in machine.run("sshd -T -C user=deploy,host=x,addr=192.0.2.1")
    assert "OK" in machine.run("fail2ban-client -t")
    jail = machine.run("fail2ban-client -d")
    assert "['add', 'sshd', 'systemd']" in jail
    machine.run("visudo -c")
    verified = machine.run(f"cd /etc/systemd/system && systemd-analyze verify {' '.join(host.UNITS)}")
    assert "archive-" not in verified, verified
    for rules in ("iptables", "ip6tables"):
        assert "-A FORWARD -j DOCKER-USER" in machine.run(f"{rules} -S")
    blocked = machine.run("apt-config dump Unattended-Upgrade::Package-Blacklist")
    assert all(f'"{name}"' in blocked for name in ("docker", "containerd", "runc"))
    engine = machine.run("docker info --format '{{.LoggingDriver}} {{.LiveRestoreEnabled}}'")
    assert engine.split() == ["local", "true"]
    options = machine.run("docker volume inspect bluesky-archive_archive --format '{{.Options.device}}'")
    assert options.strip() == "/mnt/archive/data"
    assert (
        machine.run("stat -c '%a %U' /opt/archive/shared /opt/archive/shared/secrets").split()
        == ["700", "root"] * 2
    )
    assert len(machine.run("cat /opt/archive/shared/secrets/redis_writer").strip()) >= 32
    noted = machine.run("cat /var/lib/archive/textfile/backup_copied.prom")
    assert "backup_copied_timestamp_seconds" in noted


@pytest.mark.timeout(900)
def test_each_key_has_its_own_rights(machine: FakeVM) -> None:
    assert machine.ssh("admin", machine.admin_key, "sudo", "-n", "id", "-u").stdout.strip() == "0"
    for words in (("id",), ("deploy", "x" * 40), ("sudo", "id")):
        refused = machine.ssh("deploy", machine.deploy_key, *words)
        assert refused.returncode not in (0, 255), refused
        assert "not an order; the deploy agent takes:" in refused.stderr
        assert "uid=" not in refused.stdout
    wrong = {"root": machine.admin_key, "admin": machine.deploy_key, "deploy": machine.admin_key}
    for user, key in wrong.items():
        assert machine.ssh(user, key, "id").returncode == 255


@pytest.mark.timeout(900)
def test_internet_access(machine: FakeVM) -> None:
    door = PublicDoor(machine, host.image(machine))
    try:
        door.open()
        for address in (machine.address, machine.address6):
            # curl trusts this authority only.
            assert "stands for Grafana" in door.ask(address, "/")
            health = door.ask(address, "/healthz")
            assert health.startswith("HTTP/2 200")
            assert health.endswith("ok")
            assert door.ask(address, "/", scheme="http").startswith("HTTP/1.1 308 ")
            assert host.open_outside(machine, address) == set(host.PUBLIC)
        assert door.ask(machine.address, "/archive/raw/posts/").startswith("HTTP/2 401")
        machine.run("docker rm -f health")
        assert door.ask(machine.address, "/healthz").endswith("502 Bad Gateway")
    finally:
        door.close()


@pytest.mark.timeout(900)
def test_firewall_security(machine: FakeVM) -> None:
    name = host.image(machine)
    host.publish(machine, name, 80, 443, host.BY_MISTAKE)
    host.listen(machine, host.OF_HOST)
    for address in (machine.address, machine.address6):
        assert host.open_outside(machine, address) == set(host.PUBLIC), address
    # A port that is closed outside is open on the machine: the rules close it.
    assert host.open_here(machine, host.BY_MISTAKE)
    # Again after a restart of Docker, which rewrites its rules.
    machine.run("systemctl restart docker && systemctl restart archive-firewall")
    assert host.open_outside(machine, machine.address) <= set(host.PUBLIC)
    server = host.metadata_server(machine)
    try:
        assert not host.reads_metadata(machine, name)
        machine.run(f"iptables -D DOCKER-USER -d {host.METADATA} -j DROP")
        assert host.reads_metadata(machine, name), "this rule closes it"
    finally:
        machine.run("/opt/archive/bin/firewall")
        subprocess.run(["docker", "rm", "--force", server], check=True, capture_output=True)
    assert not host.reads_metadata(machine, name)
