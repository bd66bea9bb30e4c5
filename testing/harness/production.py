"""Production in small: a fake machine, releases for it, an upstream host, and somebody told of alerts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.release import PROJECT
from deployment.provision.cloud_init import programs, render
from deployment.provision.settings import Settings
from services.buffer.keys import PUSHED
from testing.environment.images.references import references
from testing.harness.pipeline import JETSTREAM
from testing.harness.releases import Releases, surroundings
from testing.harness.stack import IMAGE_TAG
from testing.harness.upstream import Upstream
from testing.harness.waiting import wait_for
from testing.harness.webhook_container import Listener

if TYPE_CHECKING:
    from pathlib import Path

    from testing.fakes.vm import FakeVM

SITE = "archive.test"
RATE = 40.0
DEPLOY_SECONDS = 900
VOLUME_ID = 1
MEMORY_MB = 4096
"""Of the smallest machine that provision takes."""
LAYOUT = Layout()
WAITING = ("archive:buffer:", "archive:claim:")


@dataclass
class Production:
    """Everything of one test; `folder` holds the clone and the keys."""

    vm: FakeVM
    folder: Path
    releases: Releases = field(init=False)
    upstream: Upstream = field(init=False)
    listener: Listener = field(init=False)
    first: str = ""
    """The commit of the first release."""

    def __post_init__(self) -> None:
        self.releases = Releases(self.folder / "tree", self.vm.registry, self.vm.registry_push)
        image = f"bluesky-archive/demo:{IMAGE_TAG}"
        python = next(str(one) for one in references() if one.variable == "PYTHON_IMAGE")
        self.listener = Listener(f"{self.vm.name}-listener", self.vm.name, python)
        self.upstream = Upstream(f"{self.vm.name}-upstream", self.vm.name, image, RATE)

    def provision(self) -> None:
        """Let the machine boot as provision would have it, and tell it what only a test has."""
        self.upstream.start()
        self.listener.start()
        wanted = Settings(
            site=SITE,
            image_prefix=self.releases.prefix,
            admin_key=self.vm.admin_key.with_suffix(".pub").read_text("utf-8"),
            deploy_key=self.vm.deploy_key.with_suffix(".pub").read_text("utf-8"),
            ssh_from=("0.0.0.0/0",),
        )
        self.vm.boot(render(wanted, VOLUME_ID, MEMORY_MB, programs()).text)
        own = {
            "INGEST_HOSTS": self.upstream.address,
            "ARCHIVE_START": str(self.upstream.first_us - 1_000_000),
            "WRITER_INTERVAL": "5",
            "ARCHIVE_DISK_FREE_MIN_MB": "100",
            # No certificate for this name can be had, and nobody out there is asked for one.
            "ACME_DIRECTORY": "https://acme.invalid/directory",
        }
        lines = "".join(f"{name}={value}\n" for name, value in own.items())
        self.vm.run(f"cat >>{LAYOUT.settings}", stdin=lines)
        self.vm.run(f"cat >{LAYOUT.secrets}/alert_webhook", stdin=f"{self.listener.address}\n")
        self.vm.run(f"echo '127.0.0.1 {SITE}' >>/etc/hosts")

    def environment(self) -> dict[str, str]:
        """Return what the workflow hands to deployment.deploy."""
        return {
            "DEPLOY_HOST": "127.0.0.1",
            "DEPLOY_PORT": str(self.vm.ssh_port),
            "DEPLOY_KEY": self.vm.deploy_key.read_text("utf-8"),
            "DEPLOY_KNOWN_HOSTS": self.vm.known_hosts.read_text("utf-8"),
        }

    def deploy(self, sha: str, verb: str = "deploy", **changed: str) -> subprocess.CompletedProcess[str]:
        """Deploy a commit, or roll back to one, and wait for the end; settings may be changed."""
        env = {**self.environment(), **changed}
        words = ["--rollback", sha] if verb == "rollback" else [sha]
        return self.releases.run("deployment.deploy", *words, env=env, seconds=DEPLOY_SECONDS)

    def start_deploying(self, sha: str) -> subprocess.Popen[str]:
        """Begin to deploy a commit; the process' standard output is the host's log."""
        return subprocess.Popen(
            [sys.executable, "-m", "deployment.deploy", sha],
            cwd=self.releases.tree,
            env=surroundings(self.environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def live(self) -> str:
        """Return the commit that is live, with data flowing; the first one is deployed if there is none."""
        self.upstream.go_on()
        lines = self.status(self.first).stdout.splitlines()
        shown = lines[0].split()[1]
        if shown == "nothing":
            done = self.deploy(self.first)
            assert done.returncode == 0, done.stdout
            return self.first
        return shown

    def status(self, sha: str) -> subprocess.CompletedProcess[str]:
        """Ask the deploy agent for the status of a commit."""
        return self.vm.ssh("deploy", self.vm.deploy_key, f"status {sha}")

    def prometheus(self, path: str) -> Any:
        """Ask the machine's Prometheus, which is published nowhere."""
        asked = f"docker exec {PROJECT}-prometheus-1 wget -q -O - 'http://127.0.0.1:9090/api/v1/{path}'"
        return json.loads(self.vm.run(asked))["data"]

    def containers(self) -> dict[str, tuple[str, str]]:
        """Return each service's container: its id and since when it runs."""
        words = "docker ps -q | xargs -r docker inspect --format"
        form = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
        lines = self.vm.run(f"{words} '{form}'").splitlines()
        return {service: (one, since) for service, one, since in (line.split() for line in lines)}

    def audit_lines(self) -> list[dict[str, Any]]:
        """Return what the deploy agent noted of each order."""
        return [json.loads(line) for line in self.vm.run("cat /var/log/archive/deploys.jsonl").splitlines()]

    def redis(self, *words: str) -> list[str]:
        """Ask the machine's Redis; returns the lines of its answer."""
        login = "REDISCLI_AUTH=$(cat /run/secrets/redis_tools)"
        inside = f"{login} redis-cli --no-auth-warning --user tools {' '.join(words)}"
        return self.vm.run(f"docker exec {PROJECT}-redis-1 sh -c '{inside}'").splitlines()

    def wait_committed(self, events: int, seconds: float) -> None:
        """Wait until so many distinct events were pushed, and every one is in the archive."""

        def committed() -> bool:
            said = self.redis("HGETALL", PUSHED)
            counts = dict(zip(said[::2], map(int, said[1::2]), strict=True))
            distinct = sum(counts.get(f"{stream}:pushed", 0) for stream in JETSTREAM)
            waiting = [key for key in self.redis("--scan") if key.startswith(WAITING)]
            return distinct == events and not waiting

        wait_for(committed, seconds, f"{events} events are committed")

    def archive(self) -> Path:
        """Copy the archive here; returns the copy."""
        copy = self.folder / "archive"
        self.vm.run(f"docker cp {PROJECT}-data_writer-1:/archive /var/tmp/archive")
        words = ["docker", "cp", f"{self.vm.name}:/var/tmp/archive", str(copy)]
        subprocess.run(words, check=True, capture_output=True)
        return copy

    def end(self) -> None:
        """Remove what is beside the machine, which its own `with` removes."""
        self.upstream.stop()
        self.listener.stop()
        self.releases.forget()
