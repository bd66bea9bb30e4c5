"""Build a commit's images, push them, and push the release that names them: `python -m deployment.build`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from deployment import commands
from deployment.commands import BASE, BUILD, PRODUCTION, ROOT
from deployment.pack_gate import gate
from deployment.release import BUNDLED, DOCKERFILE, about, by_digest, images_env, wanted

UNUSED = {"SECRETS_DIR": "/nowhere", "SITE_ADDRESS": "nowhere.invalid"}
"""Compose wants them named, and a build has no use for them."""


class BuildError(Exception):
    """A command failed; the message is what it said."""


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m deployment.build", description=__doc__)
    parser.add_argument(
        "--prefix", required=True, help="where the images go, say ghcr.io/you/bluesky-archive"
    )
    parser.add_argument("--sha", required=True, help="the commit, which is checked out here")
    parser.add_argument(
        "--platforms", default="", help="say linux/amd64,linux/arm64; default: this machine's"
    )
    parser.add_argument("--attest", action="store_true", help="push an SBOM and provenance with each image")
    parser.add_argument("--here", help="what this machine calls the registry, if the host calls it otherwise")
    parser.add_argument("--source", default="https://example.org", help="address of the repository")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Build all, then name it; returns 1, with the reason, when anything fails."""
    asked = arguments(words)
    try:
        release = build(asked)
    except (BuildError, ValueError) as error:
        print(f"build: {error}", file=sys.stderr)  # noqa: T201 - for who asked
        return 1
    print(f"build: {release}")  # noqa: T201 - the result
    return 0


def build(asked: argparse.Namespace) -> str:
    """Return the release image's name."""
    # Registries take no capitals, and accounts have them.
    prefix = asked.prefix.lower()
    registry = prefix.partition("/")[0]

    def here(image: str) -> str:
        return image.replace(registry, asked.here, 1) if asked.here and image.startswith(registry) else image

    platforms = [name for name in asked.platforms.split(",") if name]
    sha, committed_at = _said(commands.about(asked.sha)).split()
    env = {"IMAGE_PREFIX": prefix, "IMAGE_TAG": sha, **UNUSED}
    images = wanted(
        _services([BASE, PRODUCTION], env, interpolated=False),
        _services([BASE, BUILD], env, interpolated=True),
    )
    ours = [image.service for image in images if image.is_ours]
    _show(commands.bake(ours, platforms, attested=asked.attest), env | {"IMAGE_PREFIX": here(prefix)})
    digests = {image.variable: by_digest(image.source, _digest(here(image.source))) for image in images}
    tag = f"{prefix}/release:{sha}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder / "release", digests, about(sha, int(_said(commands.number(sha))), int(committed_at)))
        (folder / "Dockerfile").write_text(DOCKERFILE.format(sha=sha, source=asked.source), "utf-8")
        _show(commands.push_release(here(tag), folder, platforms, attested=asked.attest), {})
    return tag


def _fill(folder: Path, digests: dict[str, str], about_it: str) -> None:
    folder.mkdir()
    for name in BUNDLED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "rules_test"))
        else:
            shutil.copy2(source, folder / name)
    # Read by containers as users of their own.
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (folder / "images.env").write_text(images_env(digests), "utf-8")
    (folder / "release.json").write_text(about_it, "utf-8")
    (folder / "gate").write_bytes(gate())


def _services(files: list[str], env: dict[str, str], *, interpolated: bool) -> dict[str, Any]:
    services: dict[str, Any] = json.loads(_said(commands.rendered(files, interpolated=interpolated), env))[
        "services"
    ]
    return services


def _digest(image: str) -> str:
    digest: str = json.loads(_said(commands.digest_of(image)))["digest"]
    return digest


def _said(words: list[str], env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        words, check=False, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise BuildError(f"{' '.join(words[:4])}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def _show(words: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(words, check=False, cwd=ROOT, env={**os.environ, **env})
    if done.returncode != 0:
        raise BuildError(f"{' '.join(words[:4])} failed; its own words are above")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
