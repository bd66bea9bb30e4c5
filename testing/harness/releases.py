"""Releases for a fake machine: commits in a clone of this repository, built and pushed as the workflow does.

In the clone, so that one release may differ from another as a test wants.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testing.environment.images.references import references
from testing.harness.daemons import REPOSITORY

BUILD_SECONDS = 600
BASES = ("PYTHON_IMAGE", "REDIS_IMAGE", "CADDY_IMAGE")
"""What our own images are built on; it is on this machine and need not be in the registry."""
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


@dataclass
class Releases:
    """The clone is `tree`; the registry has two names, one there and one here."""

    tree: Path
    registry: str
    """As the machine calls it."""
    here: str

    @property
    def prefix(self) -> str:
        """Where images are, as the machine says it."""
        return f"{self.registry}/archive"

    def clone(self) -> str:
        """Clone this repository as it stands, uncommitted changes too; returns the commit."""
        said = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=REPOSITORY, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        self._git("init", "--quiet", str(self.tree), where=self.tree.parent)
        # The workflow's `make` finds the environment that runs the tests.
        (self.tree / ".git/info/exclude").write_text(".venv\n", "utf-8")
        (self.tree / ".venv").symlink_to(Path(sys.prefix))
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
        others = {one.variable: f"{self.registry}/{one}" for one in references()}
        # Bases of our own images are on this machine; only what runs as it is comes from the registry.
        env = {name: image for name, image in others.items() if name in self._mirrored()}
        words = [f"--prefix={self.prefix}", f"--sha={sha}", f"--here={self.here}"]
        for verb in ("build", "publish"):
            done = self.run("deployment.release", verb, *words, env=env, seconds=BUILD_SECONDS)
            assert done.returncode == 0, f"{verb}: {done.returncode}\n{done.stdout[-4000:]}"

    def mirror(self) -> None:
        """Put the images of others into the registry; a stand-in for the one that cannot be had."""
        for name, image in self._mirrored().items():
            tag = f"{self.here}/{image}"
            if name == "GRAFANA_IMAGE":
                self._build_grafana(tag)
            else:
                _docker("tag", image, tag)
            _docker("push", "--quiet", tag)
            _docker("rmi", tag)

    def forget(self) -> None:
        """Untag on this machine's engine what was built for the registry, which is going too."""
        chosen = ["--format={{.Repository}}:{{.Tag}}", f"--filter=reference={self.here}/*/*"]
        words = ["docker", "image", "ls", *chosen]
        tags = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        if tags:
            _docker("rmi", *tags)

    def run(
        self, module: str, *words: str, env: dict[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the clone, with little around it and nothing of ours by chance."""
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            check=False,
            cwd=self.tree,
            env=surroundings(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )

    def _mirrored(self) -> dict[str, str]:
        return {one.variable: str(one) for one in references() if one.variable not in BASES}

    def _build_grafana(self, tag: str) -> None:
        folder = self.tree.with_name("grafana")
        folder.mkdir()
        python = next(str(one) for one in references() if one.variable == "PYTHON_IMAGE")
        (folder / "Dockerfile").write_text(GRAFANA.format(python=python), "utf-8")
        (folder / "server.py").write_text(GRAFANA_SERVER, "utf-8")
        _docker("buildx", "build", "--quiet", "--load", f"--tag={tag}", str(folder))

    def _git(self, *words: str, where: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=where or self.tree, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"git {words}: {done.stderr}"
        return done.stdout


def surroundings(env: dict[str, str]) -> dict[str, str]:
    """Return what a command finds around it beside `env`."""
    keep = ("PATH", "HOME", "DOCKER_HOST")
    return {**{name: os.environ[name] for name in keep if name in os.environ}, **env}


def _docker(*words: str) -> None:
    done = subprocess.run(["docker", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
