"""What building and publishing share: the command line, where images go, and commands that are run."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
from typing import NamedTuple

from deployment import commands
from deployment.commands import ROOT

UNUSED = {"SECRETS_DIR": "/nowhere", "SITE_ADDRESS": "nowhere.invalid"}
"""Compose wants them named, and a build has no use for them."""


class BuildError(Exception):
    """A command failed; the message is what it said."""


class Place(NamedTuple):
    """Where a commit's images are."""

    prefix: str
    """As the host says it."""
    here: str
    """As this machine says it: the same, but for a registry that has two names."""
    sha: str
    committed_at: int
    machine: str

    def part(self, machine: str) -> str:
        """Return the tag of what was built for one processor."""
        return f"{self.sha}-{machine}"

    def environment(self, tag: str) -> dict[str, str]:
        """Return Compose's variables, as this machine says them."""
        return {"IMAGE_PREFIX": self.here, "IMAGE_TAG": tag, **UNUSED}

    def reached(self, image: str) -> str:
        """Return what this machine calls an image."""
        there, here = self.prefix.partition("/")[0], self.here.partition("/")[0]
        return here + image.removeprefix(there) if image.startswith(f"{there}/") else image


def arguments(module: str, about: str | None, words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--prefix", required=True, help="where images go, say ghcr.io/you/bluesky-archive")
    parser.add_argument("--sha", required=True, help="the commit, which is checked out here")
    parser.add_argument("--machines", default=platform.machine(), help="say x86_64,aarch64")
    parser.add_argument("--attest", action="store_true", help="push an SBOM and provenance with each image")
    parser.add_argument("--here", help="what this machine calls the registry, if the host calls it otherwise")
    return parser.parse_args(words)


def place_of(asked: argparse.Namespace) -> Place:
    """Return the place that a command line describes; raises BuildError for a commit that is not here."""
    # Registries take no capitals, and accounts have them.
    prefix = asked.prefix.lower()
    registry, slash, path = prefix.partition("/")
    sha, committed_at = said(commands.about(asked.sha)).split()
    here = f"{asked.here or registry}{slash}{path}"
    return Place(prefix, here, sha, int(committed_at), platform.machine())


def said(words: list[str], env: dict[str, str] | None = None) -> str:
    """Run a command; returns what it printed, or raises BuildError with its own words."""
    done = subprocess.run(
        words, check=False, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise BuildError(f"{' '.join(words[:4])}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def show(words: list[str], env: dict[str, str]) -> None:
    """Run a command whose words the person may read while it works; raises BuildError."""
    done = subprocess.run(words, check=False, cwd=ROOT, env={**os.environ, **env})
    if done.returncode != 0:
        raise BuildError(f"{' '.join(words[:4])} failed; its own words are above")
