"""Packages of another Debian suite, fetched from the machine's own mirror without touching its system."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bluesky-archive" / "debian"


class NotDebianError(Exception):
    """This machine cannot be set up from Debian's packages; the message says why."""


def mirror() -> str:
    """Return the address that this machine takes Debian's packages from."""
    if shutil.which("apt-get") is None:
        raise NotDebianError(
            "no apt-get here; install Docker Engine and its Compose plugin by your system's own means"
        )
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in said.splitlines():
        origin, label, site = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian"):
            return site
    raise NotDebianError(
        "apt knows no Debian mirror here; run `apt-get update`, or this machine is not Debian"
    )


@dataclass(frozen=True)
class Suite:
    """One suite, say `trixie` or `sid`, with lists and downloads in a folder of its own."""

    name: str

    @property
    def folder(self) -> Path:
        """Where its lists and packages are kept."""
        return CACHE / self.name

    def update(self) -> None:
        """Fetch the suite's lists."""
        for part in ("lists/partial", "cache/archives/partial", "debs"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        source = f"deb [signed-by={KEYRING}] {mirror()} {self.name} main\n"
        (self.folder / "sources.list").write_text(source, encoding="utf-8")
        self._apt("update", "--quiet")

    def newest(self, package: str) -> str:
        """Return the version that a fetch would bring."""
        said = subprocess.run(
            ["apt-cache", *self._options(), "policy", package], capture_output=True, text=True, check=True
        ).stdout
        return next(
            (line.split()[1] for line in said.splitlines() if line.strip().startswith("Candidate:")), ""
        )

    def unpack(self, packages: tuple[str, ...], folder: Path) -> None:
        """Unpack the newest versions of the packages, without what they depend on, into a folder."""
        names = [f"{package}={self.newest(package)}" for package in packages]
        debs = self.folder / "debs"
        shutil.rmtree(debs)
        debs.mkdir()
        self._apt("download", "--quiet", *names, folder=debs)
        for deb in sorted(debs.glob("*.deb")):
            subprocess.run(["dpkg", "-x", str(deb), str(folder)], check=True)

    def _apt(self, *words: str, folder: Path | None = None) -> None:
        subprocess.run(
            ["apt-get", *self._options(), *words], check=True, cwd=folder, stdout=subprocess.DEVNULL
        )

    def _options(self) -> list[str]:
        settings = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": self.folder / "lists",
            "Dir::Cache": self.folder / "cache",
            "Dir::State::status": self.folder / "status",
            "APT::Sandbox::User": "root",
        }
        return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
