"""Production in small: a fake machine, its registry with a release for each commit, and an upstream host.

Commits are made in a clone of this repository, so that one release may differ from another as a test wants.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deployment.gate.release import PROJECT
from deployment.make_secrets import make_secrets
from deployment.pack_gate import gate
from services.shared.buffer.keys import PUSHED
from testing.daemons import REPOSITORY
from testing.images.references import references
from testing.pipeline import JETSTREAM
from testing.stack import IMAGE_TAG
from testing.upstream import Upstream
from testing.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from testing.fake_vm import FakeVM

SITE = "archive.test"
RATE = 40.0
BUILD_SECONDS = 600
DEPLOY_SECONDS = 900
HOME = "/opt/archive"
WAITING = ("archive:buffer:", "archive:claim:")
GRAFANA = """\
FROM {python}
LABEL standin=1
RUN ln -s /usr/bin/busybox /bin/wget
COPY server.py /server.py
CMD ["python", "/server.py"]
"""
GRAFANA_SERVER = """\
# Stands for Grafana, whose image cannot be had everywhere: it answers, and that is all.
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"stands for Grafana\\n")
ThreadingHTTPServer(("0.0.0.0", 3000), Answers).serve_forever()
"""
SETTINGS = {
    "SITE_ADDRESS": SITE,
    "REDIS_MAXMEMORY": "256mb",
    "REDIS_MEMORY_LIMIT": "512m",
    "WRITER_INTERVAL": "5",
    "ARCHIVE_DISK_FREE_MIN_MB": "100",
}


@dataclass
class Production:
    """Everything of one test; `folder` holds the clone and the keys."""

    vm: FakeVM
    folder: Path
    upstream: Upstream = field(init=False)
    settings: dict[str, str] = field(default_factory=dict)
    """Further lines of the host's settings."""
    first: str = ""
    """The commit of the first release."""

    def __post_init__(self) -> None:
        image = f"bluesky-archive/demo:{IMAGE_TAG}"
        self.upstream = Upstream(f"{self.vm.name}-upstream", self.vm.name, image, RATE)

    @property
    def tree(self) -> Path:
        """The clone that releases are built from."""
        return self.folder / "tree"

    @property
    def prefix(self) -> str:
        """Where images are, as the machine says it."""
        return f"{self.vm.registry}/archive"

    def clone(self) -> str:
        """Clone this repository as it stands, uncommitted changes too; returns the commit."""
        said = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=REPOSITORY, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        self._git("init", "--quiet", str(self.tree), where=self.folder)
        for name in filter(None, said.split("\0")):
            source, target = REPOSITORY / name, self.tree / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
                target.chmod(source.stat().st_mode)
                # `make` looks at times: what is older here than its environment must be so there.
                os.utime(target, (source.stat().st_atime, source.stat().st_mtime))
        return self.commit("as it stands")

    def commit(self, why: str) -> str:
        """Commit what was changed in the clone; returns the commit's whole name."""
        self._git("add", "--all")
        names = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        self._git(*names, "commit", "--quiet", "--allow-empty", f"--message={why}")
        return self._git("rev-parse", "HEAD").strip()

    def build(self, sha: str) -> None:
        """Build and push what a commit's release needs, as the workflow does."""
        others = {one.variable: f"{self.vm.registry}/{one}" for one in references()}
        # Bases of our own images are on this machine; only what runs as it is comes from the registry.
        env = {name: image for name, image in others.items() if name in self._mirrored()}
        words = [f"--prefix={self.prefix}", f"--sha={sha}", f"--here={self.vm.registry_push}"]
        for module in ("deployment.build", "deployment.publish"):
            self._python(module, *words, env=env, seconds=BUILD_SECONDS)

    def mirror(self) -> None:
        """Put the images of others into the registry; a stand-in for the one that cannot be had."""
        for name, image in self._mirrored().items():
            tag = f"{self.vm.registry_push}/{image}"
            if name == "GRAFANA_IMAGE":
                self._build_grafana(tag)
            else:
                _docker("tag", image, tag)
            _docker("push", "--quiet", tag)
            _docker("rmi", tag)

    def prepare(self) -> None:
        """Make of the machine what its provision would: users, the gate, secrets, settings."""
        self.upstream.start()
        secrets = self.folder / "secrets"
        make_secrets(secrets)
        program = self.folder / "gate"
        program.write_bytes(gate())
        settings = {
            **SETTINGS,
            "IMAGE_PREFIX": self.prefix,
            "INGEST_HOSTS": self.upstream.address,
            "WRITER_BIRTH": str(self.upstream.first_us - 1_000_000),
            **self.settings,
        }
        told = self.folder / "settings"
        told.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        self.vm.copy(secrets, f"{HOME}/shared/secrets")
        self.vm.copy(told, f"{HOME}/shared/.env")
        self.vm.copy(program, f"{HOME}/bin/gate")
        key = self.vm.deploy_key.with_suffix(".pub").read_text("utf-8").strip()
        self.vm.run(
            f"set -e; chown -R root:root {HOME}; chmod 755 {HOME}/bin/gate; chmod 700 {HOME}/shared\n"
            "useradd --create-home --shell /bin/sh deploy; passwd -q -d deploy\n"
            "install -d -o deploy -m 700 ~deploy/.ssh\n"
            f"echo 'command=\"sudo -n {HOME}/bin/gate\",restrict {key}' >~deploy/.ssh/authorized_keys\n"
            f"echo 'Defaults!{HOME}/bin/gate env_keep += \"SSH_ORIGINAL_COMMAND\"' >/etc/sudoers.d/gate\n"
            f"echo 'deploy ALL=(root) NOPASSWD: {HOME}/bin/gate \"\"' >>/etc/sudoers.d/gate\n"
            f"echo '127.0.0.1 {SITE}' >>/etc/hosts; mkdir -p /var/lib/archive/textfile\n"
        )

    def environment(self) -> dict[str, str]:
        """Return what the workflow hands to deployment.deploy."""
        return {
            "DEPLOY_HOST": "127.0.0.1",
            "DEPLOY_PORT": str(self.vm.ssh_port),
            "DEPLOY_KEY": self.vm.deploy_key.read_text("utf-8"),
            "DEPLOY_KNOWN_HOSTS": self.vm.known_hosts.read_text("utf-8"),
        }

    def deploy(self, sha: str, verb: str = "deploy") -> subprocess.CompletedProcess[str]:
        """Deploy a commit, or roll back to one, and wait for the end."""
        return self._run(f"deployment.{verb}", sha, env=self.environment(), seconds=DEPLOY_SECONDS)

    def start_deploying(self, sha: str) -> subprocess.Popen[str]:
        """Begin to deploy a commit; the process' standard output is the host's log."""
        return subprocess.Popen(
            [sys.executable, "-m", "deployment.deploy", sha],
            cwd=self.tree,
            env=self._surroundings(self.environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def status(self, sha: str) -> subprocess.CompletedProcess[str]:
        """Ask the gate for the status of a commit."""
        return self.vm.ssh("deploy", self.vm.deploy_key, f"status {sha}")

    def containers(self) -> dict[str, tuple[str, str]]:
        """Return each service's container: its id and since when it runs."""
        words = "docker ps -q | xargs -r docker inspect --format"
        form = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
        lines = self.vm.run(f"{words} '{form}'").splitlines()
        return {service: (one, since) for service, one, since in (line.split() for line in lines)}

    def audit_lines(self) -> list[dict[str, Any]]:
        """Return what the gate noted of each order."""
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
        _docker("cp", f"{self.vm.name}:/var/tmp/archive", str(copy))
        return copy

    def end(self) -> None:
        """Remove what is beside the machine, which its own `with` removes."""
        self.upstream.stop()

    def _mirrored(self) -> dict[str, str]:
        bases = ("PYTHON_IMAGE", "REDIS_IMAGE", "CADDY_IMAGE")
        return {one.variable: str(one) for one in references() if one.variable not in bases}

    def _build_grafana(self, tag: str) -> None:
        folder = self.folder / "grafana"
        folder.mkdir()
        python = next(str(one) for one in references() if one.variable == "PYTHON_IMAGE")
        (folder / "Dockerfile").write_text(GRAFANA.format(python=python), "utf-8")
        (folder / "server.py").write_text(GRAFANA_SERVER, "utf-8")
        _docker("buildx", "build", "--quiet", "--load", f"--tag={tag}", str(folder))

    def _python(self, module: str, *words: str, env: dict[str, str], seconds: float) -> str:
        done = self._run(module, *words, env=env, seconds=seconds)
        assert done.returncode == 0, f"{module}: {done.returncode}\n{done.stdout[-4000:]}"
        return done.stdout

    def _run(
        self, module: str, *words: str, env: dict[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            check=False,
            cwd=self.tree,
            env=self._surroundings(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )

    @staticmethod
    def _surroundings(env: dict[str, str]) -> dict[str, str]:
        """Return what a command finds around it: little, and nothing of ours by chance."""
        keep = ("PATH", "HOME", "DOCKER_HOST")
        return {**{name: os.environ[name] for name in keep if name in os.environ}, **env}

    def _git(self, *words: str, where: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=where or self.tree, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"git {words}: {done.stderr}"
        return done.stdout


def _docker(*words: str) -> None:
    done = subprocess.run(["docker", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
