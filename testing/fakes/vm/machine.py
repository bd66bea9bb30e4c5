"""One fake machine: started, booted with its cloud-config, reached over SSH, and removed with all its data.

It runs on this kernel: no boot by systemd, no kernel settings of its own, no Hetzner firewall. The rest is
real: sshd, dockerd with overlay2, iptables, cloud-init's modules.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

from testing.environment.images import derived
from testing.harness.programs import LABEL, docker, inspect, run
from testing.harness.redis import free_port
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    import subprocess
    from types import TracebackType


FOLDER = Path(__file__).parent
MACHINE = "standin-vm:trixie"
REGISTRY = "standin-registry:trixie"
RECIPES = {MACHINE: FOLDER / "machine_image", REGISTRY: FOLDER / "registry_image"}
READY_SECONDS = 120
RUN_SECONDS = 300
# Not --privileged: a machine that is itself a container may have no CAP_SYS_RESOURCE to give.
CAPS = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "MKNOD", "SYS_NICE")
ALLOWED = (
    *(f"--cap-add={cap}" for cap in CAPS),
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--device-cgroup-rule=a *:* rwm",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
)
VOLUME = "/mnt/archive"
BOOT = ("init --local", "init", "modules --mode=config", "modules --mode=final")
IDENTITY = ("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")


def build() -> None:
    """Build the machine's and the registry's image if missing or outdated. Raises NoBaseError."""
    for image, folder in RECIPES.items():
        derived.build(image, folder)


@dataclass
class FakeVM:
    """A machine with Docker and a registry, on a network of their own; `folder` holds its keys."""

    folder: Path
    name: str = field(default_factory=lambda: f"bluesky-archive-test-vm-{secrets.token_hex(4)}")
    ssh_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    https_port: int = field(default_factory=free_port)
    registry_port: int = field(default_factory=free_port)
    _subnet: int = field(default_factory=lambda: secrets.randbelow(1 << 16))

    registry = "registry.test:5000"
    """Address of the registry on the machine."""

    @property
    def registry_push(self) -> str:
        """Address of the registry on this side."""
        return f"127.0.0.1:{self.registry_port}"

    @property
    def admin_key(self) -> Path:
        """The private key of the administrator."""
        return self._key("admin")

    @property
    def deploy_key(self) -> Path:
        """The private key that can only call the deploy agent."""
        return self._key("deploy")

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file with the machine's host key."""
        path = self.folder / "known_hosts"
        if not path.exists():
            key = self.run("cat /etc/ssh/ssh_host_ed25519_key.pub")
            path.write_text(f"[127.0.0.1]:{self.ssh_port} {' '.join(key.split()[:2])}\n", encoding="utf-8")
        return path

    @property
    def address(self) -> str:
        """Its IPv4 address on its network."""
        return str(self._network()["IPAddress"])

    @property
    def address6(self) -> str:
        """Its IPv6 address on its network."""
        return str(self._network()["GlobalIPv6Address"])

    def __enter__(self) -> Self:
        """Start machine and registry; returns when its Docker answers."""
        build()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove its containers first, so that none of their cgroups stay on this machine."""
        self.run("docker ps -aq | xargs -r docker rm -f", check=False)
        self._remove()

    def boot(self, user_data: str) -> None:
        """Run a first boot with the real cloud-init; raises AssertionError if a stage fails.

        Packages must be in the image already; the Volume is a memory disk.
        """
        for package in yaml.safe_load(user_data)["packages"]:
            self.run(f"dpkg-query --show {package}")
        seed = "/var/lib/cloud/seed/nocloud"
        self.run(f"mkdir -p {seed} {VOLUME} && echo 'instance-id: first' >{seed}/meta-data")
        self.run(f"mountpoint -q {VOLUME} || mount -t tmpfs -o size=2g archive {VOLUME}")
        self.run(
            f"cat >{seed}/user-data && cloud-init schema --config-file {seed}/user-data", stdin=user_data
        )
        for stage in BOOT:
            self.run(f"cloud-init {stage}")
        # cloud-init made new host keys; on a real machine sshd starts after it.
        self.run("systemctl restart ssh")
        (self.folder / "known_hosts").unlink(missing_ok=True)

    def run(self, command: str, *, check: bool = True, seconds: float = RUN_SECONDS, stdin: str = "") -> str:
        """Run a shell command as root, not over SSH; returns standard output and error."""
        words = ("docker", "exec", "-i", self.name, "sh", "-c", command)
        return run(*words, check=check, merged=True, stdin=stdin, seconds=seconds).stdout

    def ssh_words(self, user: str, key: Path) -> list[str]:
        """Return the words of an ssh command as `user`, to be followed by the remote command."""
        known = f"UserKnownHostsFile={self.known_hosts}"
        strict = ["-o", known, "-o", "StrictHostKeyChecking=yes"]
        return ["ssh", "-i", str(key), "-p", str(self.ssh_port), *IDENTITY, *strict, f"{user}@127.0.0.1"]

    def ssh(self, user: str, key: Path, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command over SSH."""
        return run(*self.ssh_words(user, key), *command, check=False, seconds=RUN_SECONDS)

    def copy(self, here: Path, there: str) -> None:
        """Copy a file or folder onto it."""
        self.run(f"mkdir -p {there.rpartition('/')[0] or '/'}")
        docker("cp", str(here), f"{self.name}:{there}")

    def neighbour(self, *words: str, image: str = MACHINE) -> subprocess.CompletedProcess[str]:
        """Run a command in another container on its network."""
        options = ("--rm", f"--label={LABEL}", f"--network={self.name}", f"--entrypoint={words[0]}")
        return run("docker", "run", *options, image, *words[1:], check=False, seconds=RUN_SECONDS)

    def _start(self) -> None:
        subnet = f"fd00:ba5e:{self._subnet:x}::/64"
        docker("network", "create", f"--label={LABEL}", "--ipv6", f"--subnet={subnet}", self.name)
        common = ["run", "--detach", f"--label={LABEL}", f"--network={self.name}"]
        registry = f"127.0.0.1:{self.registry_port}:5000"
        docker(
            *common,
            f"--name={self.name}-registry",
            f"--network-alias={self.registry.partition(':')[0]}",
            "--cpu-shares=64",
            f"--publish={registry}",
            REGISTRY,
        )
        ports = {self.ssh_port: 22, self.http_port: 80, self.https_port: 443}
        docker(
            *common,
            f"--name={self.name}",
            "--hostname=archive",
            "--cpu-shares=128",
            *ALLOWED,
            f"--volume={self.name}:/var/lib/docker",
            *(f"--publish=127.0.0.1:{here}:{there}" for here, there in ports.items()),
            MACHINE,
            f"--insecure-registry={self.registry}",
        )
        try:
            wait_for(self._is_up, READY_SECONDS, f"dockerd of {self.name} answers")
        except TimeoutError as error:
            log = self.run("tail -n 30 /var/log/dockerd.log", check=False)
            raise AssertionError(f"{error}; its log:\n{log}") from error

    def _is_up(self) -> bool:
        return "overlay2" in self.run("docker info --format '{{.Driver}}'", check=False)

    def _key(self, user: str) -> Path:
        path = self.folder / user
        if not path.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", user, "-f", str(path))
        return path

    def _network(self) -> dict[str, Any]:
        network: dict[str, Any] = inspect(self.name)["NetworkSettings"]["Networks"][self.name]
        return network

    def _remove(self) -> None:
        for words in (
            ("rm", "--force", "--volumes", self.name, f"{self.name}-registry"),
            ("volume", "rm", "--force", self.name),
            ("network", "rm", self.name),
        ):
            docker(*words, check=False)
