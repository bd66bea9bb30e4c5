"""Paths on the host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """All paths below `root`."""

    root: Path = Path("/")

    @property
    def home(self) -> Path:
        """Releases, the files they share, and the deploy agent."""
        return self.root / "opt/archive"

    @property
    def releases(self) -> Path:
        """One folder a release, named by commit."""
        return self.home / "releases"

    @property
    def configs(self) -> Path:
        """Mounted files in folders named by hash: an unchanged path restarts no container."""
        return self.home / "configs"

    @property
    def current(self) -> Path:
        """Link to the release that the last order switched to."""
        return self.home / "current"

    @property
    def verified(self) -> Path:
        """Link to the last release that was live with data flowing; a failed deploy rolls back to it."""
        return self.home / "verified"

    @property
    def settings(self) -> Path:
        """Compose variables and daemon settings of this host, written when it is provisioned."""
        return self.home / "shared/.env"

    @property
    def secrets(self) -> Path:
        """One file a secret."""
        return self.home / "shared/secrets"

    @property
    def program(self) -> Path:
        """The deploy agent."""
        return self.home / "bin/deploy-agent"

    @property
    def run(self) -> Path:
        """On tmpfs: log and lock can be written while the disk is full."""
        return self.root / "run/archive"

    @property
    def lock(self) -> Path:
        """Held while an order runs."""
        return self.run / "deploy.lock"

    @property
    def logs(self) -> Path:
        """The log of each finished order."""
        return self.root / "var/log/archive"

    @property
    def audit(self) -> Path:
        """One line of JSON an order."""
        return self.logs / "deploys.jsonl"

    @property
    def textfile(self) -> Path:
        """Metric files that node_exporter reads."""
        return self.root / "var/lib/archive/textfile"
