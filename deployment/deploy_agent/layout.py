"""Where things lie on the host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Every path, below `root`."""

    root: Path = Path("/")

    @property
    def home(self) -> Path:
        """Releases, what they share, and the deploy agent itself."""
        return self.root / "opt/archive"

    @property
    def releases(self) -> Path:
        """A folder for each release, by commit."""
        return self.home / "releases"

    @property
    def configs(self) -> Path:
        """What containers mount, by its hash: unchanged, it keeps its path, and they are not restarted."""
        return self.home / "configs"

    @property
    def current(self) -> Path:
        """Link to the release that was switched to last."""
        return self.home / "current"

    @property
    def good(self) -> Path:
        """Link to the last release that was seen to work; where a failed deploy goes back to."""
        return self.home / "good"

    @property
    def settings(self) -> Path:
        """Compose's variables and the daemons' settings on this host, made at its provision."""
        return self.home / "shared/.env"

    @property
    def secrets(self) -> Path:
        """A file for each secret."""
        return self.home / "shared/secrets"

    @property
    def program(self) -> Path:
        """The deploy agent."""
        return self.home / "bin/deploy-agent"

    @property
    def run(self) -> Path:
        """In memory, so that there is room for a log and a lock when the disk is full."""
        return self.root / "run/archive"

    @property
    def lock(self) -> Path:
        """Held while an order is carried out."""
        return self.run / "deploy.lock"

    @property
    def logs(self) -> Path:
        """The log of each order, when it is done."""
        return self.root / "var/log/archive"

    @property
    def audit(self) -> Path:
        """A line of JSON for each order."""
        return self.logs / "deploys.jsonl"

    @property
    def textfile(self) -> Path:
        """Files that node_exporter reads."""
        return self.root / "var/lib/archive/textfile"
