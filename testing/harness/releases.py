"""Releases for a fake machine: commits in a clone of this repository, built and pushed as by the workflow.

A test may change the clone between releases.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testing.environment.images.recipes import references
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import docker, minimal_environment, run

if TYPE_CHECKING:
    import subprocess

BUILD_SECONDS = 600
BASES = ("PYTHON_IMAGE", "REDIS_IMAGE", "CADDY_IMAGE")
"""Base images of our own images: they are on this machine and need not be in the registry."""
GRAFANA = """\
FROM {python}
LABEL standin=1
RUN ln -s /usr/bin/busybox /bin/wget
COPY server.py /server.py
CMD ["python", "/server.py"]
"""
GRAFANA_SERVER = """\
# Stands in for Grafana, whose image cannot be pulled everywhere: it answers every request.
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"stands in for Grafana\\n")
ThreadingHTTPServer(("0.0.0.0", 3000), Answers).serve_forever()
"""


@dataclass
class Releases:
    """`tree` is the clone; the registry has one address inside the fake machine and one on this machine."""

    tree: Path
    registry: str
    """The registry's address on the fake machine."""
    here: str
    """The registry's address on this machine."""

    @property
    def prefix(self) -> str:
        """Prefix of image names on the fake machine."""
        return f"{self.registry}/archive"

    def clone(self) -> str:
        """Clone this repository as it stands, uncommitted changes too; returns the commit."""
        listed = self._git("ls-files", "--cached", "--others", "--exclude-standard", "-z", where=REPOSITORY)
        self._git("init", "--quiet", str(self.tree), where=self.tree.parent)
        # The workflow's `make` finds the environment that runs the tests.
        (self.tree / ".git/info/exclude").write_text(".venv\n", "utf-8")
        (self.tree / ".venv").symlink_to(Path(sys.prefix))
        for name in filter(None, listed.split("\0")):
            source, target = REPOSITORY / name, self.tree / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
                target.chmod(source.stat().st_mode)
                # `make` compares modification times.
                os.utime(target, (source.stat().st_atime, source.stat().st_mtime))
        return self.commit("as it stands")

    def commit(self, why: str) -> str:
        """Commit the changes in the clone; returns the full commit hash."""
        self._git("add", "--all")
        names = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        self._git(*names, "commit", "--quiet", "--allow-empty", f"--message={why}")
        return self._git("rev-parse", "HEAD").strip()

    def build(self, sha: str) -> None:
        """Build and push the images of a commit, as the workflow does."""
        third_party = {one.variable: f"{self.registry}/{one}" for one in references()}
        # Base images are on this machine; only third-party images that run unchanged come from the registry.
        env = {name: image for name, image in third_party.items() if name in self._mirrored()}
        words = [f"--prefix={self.prefix}", f"--sha={sha}", f"--here={self.here}"]
        for verb in ("build", "publish"):
            done = self.run("deployment.release", verb, *words, env=env, seconds=BUILD_SECONDS)
            assert done.returncode == 0, f"{verb}: {done.returncode}\n{done.stdout[-4000:]}"

    def mirror(self) -> None:
        """Push the third-party images into the registry; for Grafana a stand-in."""
        for name, image in self._mirrored().items():
            tag = f"{self.here}/{image}"
            if name == "GRAFANA_IMAGE":
                self._build_grafana(tag)
            else:
                docker("tag", image, tag)
            docker("push", "--quiet", tag)
            docker("rmi", tag)

    def untag(self) -> None:
        """Remove this machine's tags of the images built for the registry."""
        chosen = ["--format={{.Repository}}:{{.Tag}}", f"--filter=reference={self.here}/*/*"]
        tags = docker("image", "ls", *chosen).split()
        if tags:
            docker("rmi", *tags)

    def run(
        self, module: str, *words: str, env: dict[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the clone in a minimal environment; its exit code isn't checked."""
        environment = minimal_environment(**env)
        python = (sys.executable, "-m", module)
        return run(*python, *words, check=False, merged=True, cwd=self.tree, env=environment, seconds=seconds)

    def _mirrored(self) -> dict[str, str]:
        return {one.variable: str(one) for one in references() if one.variable not in BASES}

    def _build_grafana(self, tag: str) -> None:
        folder = self.tree.with_name("grafana")
        folder.mkdir()
        python = next(str(one) for one in references() if one.variable == "PYTHON_IMAGE")
        (folder / "Dockerfile").write_text(GRAFANA.format(python=python), "utf-8")
        (folder / "server.py").write_text(GRAFANA_SERVER, "utf-8")
        docker("buildx", "build", "--quiet", "--load", f"--tag={tag}", str(folder))

    def _git(self, *words: str, where: Path | None = None) -> str:
        return run("git", *words, cwd=where or self.tree).stdout
