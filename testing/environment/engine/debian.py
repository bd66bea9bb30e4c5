"""Packages of another Debian suite, downloaded from this machine's mirror without installing them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from testing.harness.programs import run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bluesky-archive" / "debian"


class NotDebianError(Exception):
    """This machine cannot be set up from Debian's packages; the message gives the reason."""


def mirror() -> str:
    """Return the URL of this machine's Debian mirror."""
    if shutil.which("apt-get") is None:
        raise NotDebianError(
            "no apt-get here; install Docker Engine and its Compose plugin with your system's package manager"
        )
    fields = ("--format", "$(ORIGIN)|$(LABEL)|$(SITE)", "Created-By: Packages")
    output = run("apt-get", "indextargets", *fields).stdout
    for line in output.splitlines():
        origin, label, site = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian"):
            return site
    raise NotDebianError(
        "apt knows no Debian mirror here; run `apt-get update`, or this machine is not Debian"
    )


@dataclass(frozen=True)
class Suite:
    """A suite, `trixie` or `sid` for example, with lists and downloads in a folder of its own."""

    name: str

    @property
    def folder(self) -> Path:
        """Folder of its lists and packages."""
        return CACHE / self.name

    def update(self) -> None:
        """Download the suite's lists."""
        for part in ("lists/partial", "cache/archives/partial", "debs"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        source = f"deb [signed-by={KEYRING}] {mirror()} {self.name} main\n"
        (self.folder / "sources.list").write_text(source, encoding="utf-8")
        self._apt("update", "--quiet")

    def newest(self, package: str) -> str:
        """Return the version that would be downloaded."""
        output = run("apt-cache", *self._options(), "policy", package).stdout
        return next(
            (line.split()[1] for line in output.splitlines() if line.strip().startswith("Candidate:")), ""
        )

    def unpack(self, packages: tuple[str, ...], folder: Path) -> None:
        """Unpack the newest versions of packages into a folder, without their dependencies."""
        names = [f"{package}={self.newest(package)}" for package in packages]
        debs = self.folder / "debs"
        shutil.rmtree(debs)
        debs.mkdir()
        self._apt("download", "--quiet", *names, folder=debs)
        for deb in sorted(debs.glob("*.deb")):
            run("dpkg", "-x", str(deb), str(folder))

    def _apt(self, *words: str, folder: Path | None = None) -> None:
        run("apt-get", *self._options(), *words, cwd=folder)

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
