"""The fake machine: SSH keys, its engine and registry, and a boot with a cloud-config."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testing.environment.images.recipes import BASE
from testing.fakes.vm import FakeVM
from testing.harness.programs import docker, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOUD_CONFIG = """\
#cloud-config
packages: [docker.io]
users:
  - {name: admin, shell: /bin/sh, ssh_authorized_keys: ["@admin@"]}
write_files:
  - path: /etc/systemd/system/mark.service
    content: |
      [Service]
      Type=oneshot
      ExecStart=/usr/bin/touch /marked
runcmd: [[systemctl, enable, --now, mark]]
"""


@pytest.fixture(scope="module")
def vm(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeVM]:  # noqa: ARG001 - for its check
    with FakeVM(tmp_path_factory.mktemp("vm")) as machine:
        key = machine.admin_key.with_suffix(".pub").read_text("utf-8").strip()
        machine.boot(CLOUD_CONFIG.replace("@admin@", key))
        yield machine


def test_its_engine_runs_images_of_its_registry(vm: FakeVM) -> None:
    pushed = f"{vm.registry_push}/base:1"
    docker("tag", BASE, pushed)
    try:
        docker("push", "--quiet", pushed)
    finally:
        docker("rmi", pushed)
    assert vm.run(f"docker run --rm {vm.registry}/base:1 cat /etc/debian_version").splitlines()[-1] >= "13"


def test_a_boot_applies_the_cloud_config(vm: FakeVM) -> None:
    assert vm.run("ls /marked").strip() == "/marked"
    assert "enable --now mark" in vm.run("cat /var/log/systemctl.log")


def test_only_its_keys_log_in(vm: FakeVM) -> None:
    assert vm.ssh("admin", vm.admin_key, "id", "-un").stdout.strip() == "admin"
    refused = vm.ssh("admin", vm.deploy_key, "id")
    assert (refused.returncode, refused.stdout) == (255, "")


def test_another_host_key_is_refused(vm: FakeVM, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other"))
    other = (tmp_path / "other.pub").read_text("utf-8").split()[:2]
    known = vm.known_hosts.read_text("utf-8")
    vm.known_hosts.write_text(f"[127.0.0.1]:{vm.ssh_port} {' '.join(other)}\n", "utf-8")
    try:
        refused = vm.ssh("admin", vm.admin_key, "id")
    finally:
        vm.known_hosts.write_text(known, "utf-8")
    assert "Host key verification failed" in refused.stderr


def test_its_neighbours_reach_it_over_ipv4_and_ipv6(vm: FakeVM) -> None:
    for address in (vm.address, vm.address6):
        scanned = vm.neighbour("ssh-keyscan", "-T", "5", "-t", "ed25519", address)
        assert f"{address} ssh-ed25519" in scanned.stdout, scanned.stderr


def test_a_failed_boot_step_is_reported(vm: FakeVM) -> None:
    with pytest.raises(AssertionError, match="Unit nobody not found"):
        vm.run("systemctl enable --now nobody")


def test_it_is_removed_completely(engine: None, tmp_path: Path) -> None:  # noqa: ARG001 - for its check
    with FakeVM(tmp_path) as machine:
        name = machine.name
    for words in (["ps", "-a"], ["volume", "ls"], ["network", "ls"]):
        assert name not in docker(*words)
