"""Bring a release from the registry into a folder of its own, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING

from deployment.deploy_agent.docker import docker
from deployment.deploy_agent.errors import Refused
from deployment.deploy_agent.release import ABOUT, AGENT, COMPOSE, CONFIG, IMAGES, Release, read

if TYPE_CHECKING:
    from pathlib import Path

    from deployment.deploy_agent.layout import Layout

PULL_SECONDS = 120
OWN = {*COMPOSE, IMAGES, ABOUT, AGENT}
"""What is the release's own; the rest is mounted by containers, and shared by releases that have the same."""


def fetch(layout: Layout, prefix: str, sha: str) -> Release:
    """Return the release of a commit, fetched anew; raises Refused where the registry has none."""
    tag = f"{prefix}/release:{sha}"
    pulled = docker("pull", "--quiet", tag, seconds=PULL_SECONDS)
    if pulled.code != 0:
        raise Refused(why_not(tag, pulled.said))
    try:
        digests = json.loads(docker("image", "inspect", "--format={{json .RepoDigests}}", tag).said)
        digest = next(one for one in digests if one.startswith(f"{prefix}/release@"))
        return _unpacked(layout, sha, digest)
    finally:
        # Once it is a folder, the image is of no more use.
        docker("image", "rm", tag)


def why_not(image: str, said: str) -> str:
    """Return one sentence on why the registry does not give an image, with the mend."""
    last = said.splitlines()[-1] if said else "no reason given"
    if any(word in said for word in ("unauthorized", "denied", "authentication required", "403", "401")):
        return (
            f"the registry refuses this host's login for {image} ({last}); on the host: "
            "`sudo docker login`, with a token that may read packages"
        )
    if any(word in said for word in ("not found", "manifest unknown", "no such manifest")):
        return f"the registry has no {image}; let its build finish, or run it again"
    return f"the registry does not give {image}: {last}; try again when it answers"


def config_hash(folder: Path) -> str:
    """Return a name for what the files below a folder say."""
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_mode:o}\0".encode())
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _unpacked(layout: Layout, sha: str, digest: str) -> Release:
    layout.releases.mkdir(parents=True, exist_ok=True)
    folder, staged = layout.releases / sha, layout.releases / f".{sha}.new"
    there = read(folder)
    if there is not None and there.digest == digest:
        return there
    shutil.rmtree(staged, ignore_errors=True)
    _copy_out(digest, staged)
    about = json.loads((staged / ABOUT).read_text("utf-8"))
    if about["sha"] != sha:
        raise Refused(f"{digest} says that it is {about['sha']}; build the release of {sha} again")
    (staged / ABOUT).write_text(json.dumps(about | {"digest": digest}), "utf-8")
    _share(layout, staged)
    # A power cut must not leave a release that looks whole.
    os.sync()
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)
    release = read(folder)
    if release is None:
        raise Refused(f"{digest} holds no release; build it again")
    return release


def _copy_out(digest: str, folder: Path) -> None:
    made = docker("create", digest, "/no-program")
    if made.code != 0:
        raise Refused(f"{digest} cannot be unpacked: {made.said}; look at this host's Docker")
    container = made.said.splitlines()[-1]
    try:
        copied = docker("cp", f"{container}:/release", str(folder))
    finally:
        docker("rm", "--volumes", container)
    if copied.code != 0:
        raise Refused(f"{digest} cannot be unpacked: {copied.said}; is this host's disk full?")


def _share(layout: Layout, staged: Path) -> None:
    """Move what containers mount to where releases with the same find it."""
    config = staged.with_suffix(".config")
    shutil.rmtree(config, ignore_errors=True)
    config.mkdir()
    for path in [path for path in staged.iterdir() if path.name not in OWN]:
        path.rename(config / path.name)
    shared = layout.configs / config_hash(config)
    layout.configs.mkdir(exist_ok=True)
    if shared.exists():
        shutil.rmtree(config)
    else:
        config.rename(shared)
    (staged / CONFIG).symlink_to(shared)
