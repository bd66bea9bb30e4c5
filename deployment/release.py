"""Pure: what a release is, from what Compose says of services and what the registry says of images."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

BUNDLED = ("docker-compose.yml", "docker-compose.prod.yml", "monitoring")
"""What a release carries of the repository: the Compose files, and all that they mount from it."""
DOCKERFILE = """\
# No program: the host unpacks it (deployment/deploy_agent/bundle.py).
FROM scratch
LABEL org.opencontainers.image.revision={sha}
COPY release /release
"""
_VARIABLE = re.compile(r"\$\{(IMAGE_\w+):\?")


class Wanted(NamedTuple):
    """An image that production names by a variable."""

    variable: str
    service: str
    source: str
    """By tag."""
    is_ours: bool


def wanted(production: Mapping[str, Any], built: Mapping[str, Any]) -> list[Wanted]:
    """Return the images of production's services.

    `production`: services as Compose shows them with no variable filled in; `built`: as it shows those of the
    other two files, filled in. Raises ValueError for a service whose image is not named by a variable; one
    that only a profile starts need not be.
    """
    images: dict[str, Wanted] = {}
    for service, said in sorted(production.items()):
        found = _VARIABLE.match(said["image"])
        if found is None and "profiles" in said:
            continue
        if found is None or service not in built:
            raise ValueError(
                f"docker-compose.prod.yml: the image of {service} is {said['image']}; name it by digest, "
                f"as ${{IMAGE_{service.upper()}:?}}"
            )
        image = Wanted(found[1], service, built[service]["image"], "build" in built[service])
        # Several services may run one image; one of them builds it.
        if image.is_ours or image.variable not in images:
            images[image.variable] = image
    return sorted(images.values())


def images_env(digests: Mapping[str, str]) -> str:
    """Return the file that names each image by digest; keys are variables."""
    return "".join(f"{variable}={digest}\n" for variable, digest in sorted(digests.items()))


def about(sha: str, number: int, committed_at: int) -> str:
    """Return what a release says of itself; the host refuses one that is older than what is live."""
    return json.dumps({"sha": sha, "number": number, "committed_at": committed_at}) + "\n"


def by_digest(tagged: str, digest: str) -> str:
    """Return an image's name by digest instead of tag; a registry's port is no tag."""
    head, slash, last = tagged.rpartition("/")
    return f"{head}{slash}{last.partition('@')[0].partition(':')[0]}@{digest}"
