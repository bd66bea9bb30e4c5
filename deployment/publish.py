"""Make a release of a commit's images and push it: `python -m deployment.publish`.

Every image, the ones of others too, is named by the digest its registry has now; the host takes no other.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from deployment import commands
from deployment.commands import ROOT
from deployment.pack_deploy_agent import deploy_agent
from deployment.release import BUNDLED, DOCKERFILE, about, by_digest, images_env
from deployment.running import BuildError, arguments, place_of, said, show
from deployment.services import images_of

if TYPE_CHECKING:
    from deployment.running import Place

PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}


def main(words: list[str]) -> int:
    """Publish; returns 1, with the reason, when anything fails."""
    asked = arguments("deployment.publish", __doc__, words)
    try:
        print(f"publish: {publish(place_of(asked), asked.machines.split(','))}")  # noqa: T201 - the result
    except (BuildError, ValueError) as error:
        print(f"publish: {error}", file=sys.stderr)  # noqa: T201 - for who asked
        return 1
    return 0


def publish(place: Place, machines: list[str]) -> str:
    """Return the release image's name."""
    digests = {}
    for image in images_of(place):
        if image.is_ours:
            name = place.reached(image.source)
            parts = [f"{name.removesuffix(place.sha)}{place.part(machine)}" for machine in machines]
            show(commands.join(name, parts), {})
        shown = json.loads(said(commands.digest_of(place.reached(image.source))))
        digests[image.variable] = by_digest(image.source, shown["digest"])
    tag = f"{place.prefix}/release:{place.sha}"
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), place, digests)
        platforms = [PLATFORMS[machine] for machine in machines]
        show(commands.push_release(place.reached(tag), Path(folder), platforms), {})
    return tag


def _fill(folder: Path, place: Place, digests: dict[str, str]) -> None:
    """Write all that the release image holds."""
    release = folder / "release"
    release.mkdir()
    for name in BUNDLED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, release / name, ignore=shutil.ignore_patterns("rules_test"))
        else:
            shutil.copy2(source, release / name)
    # Read by containers as users of their own.
    for path in (release, *release.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    number = int(said(commands.number(place.sha)))
    (release / "images.env").write_text(images_env(digests), "utf-8")
    (release / "release.json").write_text(about(place.sha, number, place.committed_at), "utf-8")
    (release / "deploy-agent").write_bytes(deploy_agent())
    (folder / "Dockerfile").write_text(DOCKERFILE.format(sha=place.sha), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
