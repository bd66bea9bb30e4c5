"""Production in small: a fake machine, releases for it, a Jetstream host and a receiver of alerts."""

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
from services.shared.event import JETSTREAM_STREAMS
from testing.environment.images.recipes import references
from testing.harness.peers import Upstream, WebhookReceiver
from testing.harness.programs import docker, minimal_environment
from testing.harness.releases import Releases
from testing.harness.stack import IMAGE_TAG
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from testing.fakes.vm import FakeVM

SITE = "archive.test"
RATE = 40.0
DEPLOY_SECONDS = 900
VOLUME_ID = 1
MEMORY_MB = 4096
"""Of the smallest machine that provision accepts."""
LAYOUT = Layout()
WAITING = ("archive:buffer:", "archive:claim:")


@dataclass
class Production:
    """The production of one test; `folder` holds the clone and the keys."""

    vm: FakeVM
    folder: Path
    releases: Releases = field(init=False)
    upstream: Upstream = field(init=False)
    webhook: WebhookReceiver = field(init=False)
    first: str = ""
    """Commit of the first release."""

    def __post_init__(self) -> None:
        self.releases = Releases(self.folder / "tree", self.vm.registry, self.vm.registry_push)
        image = f"bluesky-archive/demo:{IMAGE_TAG}"
        python = next(str(one) for one in references() if one.variable == "PYTHON_IMAGE")
        self.webhook = WebhookReceiver(f"{self.vm.name}-webhook", self.vm.name, python)
        self.upstream = Upstream(f"{self.vm.name}-upstream", self.vm.name, image, RATE)

    def provision(self) -> None:
        """Boot the machine as provision would, and add the settings of the test."""
        self.upstream.start()
        self.webhook.start()
        settings = Settings(
            site=SITE,
            image_prefix=self.releases.prefix,
            admin_key=self.vm.admin_key.with_suffix(".pub").read_text("utf-8"),
            deploy_key=self.vm.deploy_key.with_suffix(".pub").read_text("utf-8"),
            ssh_from=("0.0.0.0/0",),
        )
        self.vm.boot(render(settings, VOLUME_ID, MEMORY_MB, programs()).text)
        own = {
            "INGEST_HOSTS": self.upstream.address,
            "ARCHIVE_START": str(self.upstream.first_us - 1_000_000),
            "WRITER_INTERVAL": "5",
            "ARCHIVE_DISK_FREE_MIN_MB": "100",
            # No authority issues a certificate for this name: do not request one.
            "ACME_DIRECTORY": "https://acme.invalid/directory",
        }
        lines = "".join(f"{name}={value}\n" for name, value in own.items())
        self.vm.run(f"cat >>{LAYOUT.settings}", stdin=lines)
        self.vm.run(f"cat >{LAYOUT.secrets}/alert_webhook", stdin=f"{self.webhook.address}\n")
        self.vm.run(f"echo '127.0.0.1 {SITE}' >>/etc/hosts")

    def environment(self) -> dict[str, str]:
        """Return the environment in which the workflow runs deployment.deploy."""
        return {
            "DEPLOY_HOST": "127.0.0.1",
            "DEPLOY_PORT": str(self.vm.ssh_port),
            "DEPLOY_KEY": self.vm.deploy_key.read_text("utf-8"),
            "DEPLOY_KNOWN_HOSTS": self.vm.known_hosts.read_text("utf-8"),
        }

    def deploy(self, sha: str, verb: str = "deploy", **changed: str) -> subprocess.CompletedProcess[str]:
        """Deploy a commit, or roll back to one, and wait for the end; `changed` replaces settings."""
        env = {**self.environment(), **changed}
        words = ["--rollback", sha] if verb == "rollback" else [sha]
        return self.releases.run("deployment.deploy", *words, env=env, seconds=DEPLOY_SECONDS)

    def start_deploying(self, sha: str) -> subprocess.Popen[str]:
        """Start deploying a commit; returns the process, whose standard output is the log."""
        return subprocess.Popen(
            [sys.executable, "-m", "deployment.deploy", sha],
            cwd=self.releases.tree,
            env=minimal_environment(**self.environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def live(self) -> str:
        """Return the live commit while events arrive; deploys the first one if none is live."""
        self.upstream.resume()
        lines = self.status(self.first).stdout.splitlines()
        live = lines[0].split()[1]
        if live == "nothing":
            done = self.deploy(self.first)
            assert done.returncode == 0, done.stdout
            return self.first
        return live

    def status(self, sha: str) -> subprocess.CompletedProcess[str]:
        """Ask the deploy agent for the status of a commit."""
        return self.vm.ssh("deploy", self.vm.deploy_key, f"status {sha}")

    def prometheus(self, path: str) -> Any:
        """Query the machine's Prometheus, which is not published."""
        command = f"docker exec {PROJECT}-prometheus-1 wget -q -O - 'http://127.0.0.1:9090/api/v1/{path}'"
        return json.loads(self.vm.run(command))["data"]

    def containers(self) -> dict[str, tuple[str, str]]:
        """Return each service's container: its id and its start time."""
        words = "docker ps -q | xargs -r docker inspect --format"
        form = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
        lines = self.vm.run(f"{words} '{form}'").splitlines()
        return {service: (one, since) for service, one, since in (line.split() for line in lines)}

    def audit_lines(self) -> list[dict[str, Any]]:
        """Return the deploy agent's audit log."""
        return [json.loads(line) for line in self.vm.run("cat /var/log/archive/deploys.jsonl").splitlines()]

    def redis(self, *words: str) -> list[str]:
        """Run a command on the machine's Redis; returns the lines of its answer."""
        login = "REDISCLI_AUTH=$(cat /run/secrets/redis_tools)"
        inside = f"{login} redis-cli --no-auth-warning --user tools {' '.join(words)}"
        return self.vm.run(f"docker exec {PROJECT}-redis-1 sh -c '{inside}'").splitlines()

    def wait_committed(self, events: int, seconds: float) -> None:
        """Wait until exactly this many distinct events are pushed and all of them are committed."""

        def committed() -> bool:
            fields = self.redis("HGETALL", PUSHED)
            counts = dict(zip(fields[::2], map(int, fields[1::2]), strict=True))
            distinct = sum(counts.get(f"{stream}:pushed", 0) for stream in JETSTREAM_STREAMS)
            waiting = [key for key in self.redis("--scan") if key.startswith(WAITING)]
            return distinct == events and not waiting

        wait_for(committed, seconds, f"{events} events are committed")

    def archive(self) -> Path:
        """Copy the archive to this machine; returns the copy."""
        copy = self.folder / "archive"
        self.vm.run(f"docker cp {PROJECT}-data_writer-1:/archive /var/tmp/archive")
        docker("cp", f"{self.vm.name}:/var/tmp/archive", str(copy))
        return copy

    def end(self) -> None:
        """Remove everything but the machine, which its own `with` removes."""
        self.upstream.stop()
        self.webhook.stop()
        self.releases.untag()
