"""Make room before a pull: what our own old releases left, and nothing of anybody else's."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from deployment.deploy_agent.docker import docker
from deployment.deploy_agent.release import CONFIG, SEEN_TO_WORK, images_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.output import Say

RELEASES = 3
"""So many that were seen to work stay on the host with their images, to be rolled back to."""
LOGS = 50


def kept(seen_to_work: dict[str, float], in_use: set[str]) -> set[str]:
    """Pure: the commits to keep, of those that worked (and when) and those that links lead to."""
    newest = sorted(seen_to_work, key=lambda sha: seen_to_work[sha], reverse=True)
    return {*newest[:RELEASES], *in_use}


def droppable(here: Iterable[str], ours: str, dropped: set[str], needed: set[str]) -> list[str]:
    """Pure: the images, by digest, to remove of those here.

    Those of our repository, and what other people's images dropped releases named; never a needed one.
    """
    return sorted(
        image
        for image in set(here)
        if image not in needed and (image in dropped or image.startswith(f"{ours}/"))
    )


def make_room(layout: Layout, ours: str, in_use: set[str], say: Say) -> None:
    """Remove releases past the last three, their images, and what only they mounted."""
    folders = list(layout.releases.iterdir()) if layout.releases.is_dir() else []
    worked = {
        folder.name: (folder / SEEN_TO_WORK).stat().st_mtime
        for folder in folders
        if (folder / SEEN_TO_WORK).exists()
    }
    keep = kept(worked, in_use)
    old = [folder for folder in folders if folder.name not in keep]
    stay = [folder for folder in folders if folder.name in keep]
    needed = {image for folder in stay for image in images_of(folder)}
    dropped = {image for folder in old for image in images_of(folder)}
    for image in droppable(_images_here(), ours, dropped, needed):
        # Never forced: what a container still uses stays.
        removed = docker("image", "rm", image)
        say(f"prune: {image}" + ("" if removed.code == 0 else f": kept, {removed.said.splitlines()[-1]}"))
    for folder in old:
        shutil.rmtree(folder)
    mounted = {(folder / CONFIG).resolve() for folder in stay}
    for config in layout.configs.iterdir() if layout.configs.is_dir() else ():
        if config.resolve() not in mounted:
            shutil.rmtree(config)
    for log in sorted(layout.logs.glob("*.log"))[:-LOGS]:
        log.unlink()


def _images_here() -> list[str]:
    listed = docker("image", "ls", "--digests", "--format={{json .}}").said
    images = [json.loads(line) for line in listed.splitlines() if line.startswith("{")]
    return [f"{one['Repository']}@{one['Digest']}" for one in images if one["Digest"] != "<none>"]
