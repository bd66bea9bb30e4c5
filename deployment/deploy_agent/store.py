"""The releases on this host: fetch one from the registry, install its deploy agent, prune old ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING

from deployment.deploy_agent.docker import docker
from deployment.deploy_agent.orders import BUSY, DONE
from deployment.deploy_agent.preflight import Refused, registry_error
from deployment.deploy_agent.release import (
    ABOUT,
    AGENT,
    COMPOSE,
    CONFIG,
    IMAGES,
    VERIFIED,
    Release,
    images_of,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.output import Output

PULL_SECONDS = 120
STATUS_SECONDS = 30
OWN = {*COMPOSE, IMAGES, ABOUT, AGENT}
"""Files of one release only; containers mount the others, which releases with equal ones share."""
RETAINED_RELEASES = 3
"""Verified releases that stay on the host with their images, so that a rollback can return to them."""
RETAINED_LOGS = 50


def fetch(layout: Layout, prefix: str, sha: str) -> Release:
    """Pull the release of a commit and unpack it into its folder; raises Refused where there is none."""
    tag = f"{prefix}/release:{sha}"
    pulled = docker("pull", "--quiet", tag, seconds=PULL_SECONDS)
    if pulled.code != 0:
        raise Refused(registry_error(tag, pulled.output))
    try:
        digests = json.loads(docker("image", "inspect", "--format={{json .RepoDigests}}", tag).output)
        digest = next(one for one in digests if one.startswith(f"{prefix}/release@"))
        return _unpack(layout, sha, digest)
    finally:
        # The folder replaces the image.
        docker("image", "rm", tag)


def config_hash(folder: Path) -> str:
    """Return a hash of names, modes and contents of the files below a folder."""
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_mode:o}\0".encode())
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def self_update(layout: Layout, release: Release) -> bool:
    """Install the release's deploy agent if it differs and can report a status; returns whether it did."""
    brought, installed = release.folder / AGENT, layout.program
    if not brought.exists() or (installed.exists() and brought.read_bytes() == installed.read_bytes()):
        return False
    checked = subprocess.run(
        [sys.executable, "-I", str(brought), "status", release.sha],
        check=False,
        capture_output=True,
        env={},
        timeout=STATUS_SECONDS,
    )
    # BUSY: the order that brought it still holds the lock.
    if checked.returncode not in (DONE, BUSY):
        return False
    installed.parent.mkdir(parents=True, exist_ok=True)
    staged = installed.with_name(f".{installed.name}.new")
    staged.write_bytes(brought.read_bytes())
    staged.chmod(0o755)
    staged.replace(installed)
    return True


def retained(verified: dict[str, float], in_use: set[str]) -> set[str]:
    """Return the commits to keep: the newest of those verified (with their times), and those in use. Pure."""
    newest = sorted(verified, key=lambda sha: verified[sha], reverse=True)
    return {*newest[:RETAINED_RELEASES], *in_use}


def removable(present: Iterable[str], prefix: str, old: set[str], needed: set[str]) -> list[str]:
    """Return the images, by digest, to remove. Pure.

    Those under our prefix, and other publishers' images that only old releases named; never a needed one.
    """
    return sorted(
        image
        for image in set(present)
        if image not in needed and (image in old or image.startswith(f"{prefix}/"))
    )


def prune(layout: Layout, prefix: str, in_use: set[str], output: Output) -> None:
    """Remove releases that are not retained, their images, their mounted files, and old logs."""
    folders = list(layout.releases.iterdir()) if layout.releases.is_dir() else []
    verified = {
        folder.name: (folder / VERIFIED).stat().st_mtime for folder in folders if (folder / VERIFIED).exists()
    }
    keep = retained(verified, in_use)
    old = [folder for folder in folders if folder.name not in keep]
    stay = [folder for folder in folders if folder.name in keep]
    needed = {image for folder in stay for image in images_of(folder)}
    dropped = {image for folder in old for image in images_of(folder)}
    for image in removable(_present_images(), prefix, dropped, needed):
        # Without --force: an image that a container uses stays.
        removed = docker("image", "rm", image)
        output(
            f"prune: {image}" + ("" if removed.code == 0 else f": kept, {removed.output.splitlines()[-1]}")
        )
    for folder in old:
        shutil.rmtree(folder)
    mounted = {(folder / CONFIG).resolve() for folder in stay}
    for config in layout.configs.iterdir() if layout.configs.is_dir() else ():
        if config.resolve() not in mounted:
            shutil.rmtree(config)
    for log in sorted(layout.logs.glob("*.log"))[:-RETAINED_LOGS]:
        log.unlink()


def _present_images() -> list[str]:
    listed = docker("image", "ls", "--digests", "--format={{json .}}").output
    images = [json.loads(line) for line in listed.splitlines() if line.startswith("{")]
    return [f"{one['Repository']}@{one['Digest']}" for one in images if one["Digest"] != "<none>"]


def _unpack(layout: Layout, sha: str, digest: str) -> Release:
    layout.releases.mkdir(parents=True, exist_ok=True)
    folder, staged = layout.releases / sha, layout.releases / f".{sha}.new"
    present = read(folder)
    if present is not None and present.digest == digest:
        return present
    shutil.rmtree(staged, ignore_errors=True)
    _copy_out(digest, staged)
    about = json.loads((staged / ABOUT).read_text("utf-8"))
    if about["sha"] != sha:
        raise Refused(f"{digest} is the release of {about['sha']}; build the release of {sha} again")
    (staged / ABOUT).write_text(json.dumps(about | {"digest": digest}), "utf-8")
    _share_config(layout, staged)
    # Before the rename: a power cut must not leave an incomplete release under its final name.
    os.sync()
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)
    release = read(folder)
    if release is None:
        raise Refused(f"{digest} holds no release; build it again")
    return release


def _copy_out(digest: str, folder: Path) -> None:
    created = docker("create", digest, "/no-program")
    if created.code != 0:
        raise Refused(f"{digest} cannot be unpacked: {created.output}; look at this host's Docker")
    container = created.output.splitlines()[-1]
    try:
        copied = docker("cp", f"{container}:/release", str(folder))
    finally:
        docker("rm", "--volumes", container)
    if copied.code != 0:
        raise Refused(f"{digest} cannot be unpacked: {copied.output}; is this host's disk full?")


def _share_config(layout: Layout, staged: Path) -> None:
    """Move the files that containers mount to the folder of their hash, and link to it."""
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
