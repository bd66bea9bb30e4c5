"""Pure: the cloud-config of the host, filled in; the same settings give the same bytes."""

from __future__ import annotations

import base64
import re
import textwrap
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deployment.provision.programs import compressed, tar
from deployment.provision.refusal import Refused
from deployment.provision.sizes import sizes

if TYPE_CHECKING:
    from deployment.provision.settings import Settings

RECIPE = Path(__file__).parents[1] / "hetzner" / "cloud-init.yml"
LARGEST_BYTES = 32 * 1024
PLACE = re.compile(r"@\{(\w+)\}")
REMARK = re.compile(r"^\s*# .*\n", re.MULTILINE)
SECRETS = "/opt/archive/shared/secrets"


class CloudConfig(NamedTuple):
    """What a server is born with, and what its label says of it: the API never gives it back."""

    text: str
    label: str


def render(settings: Settings, volume_id: int, memory_mb: int, files: dict[str, bytes]) -> CloudConfig:
    """Return the cloud-config, with `files` in /opt/archive/bin; raises Refused where it is too large."""
    told = {
        "IMAGE_PREFIX": settings.image_prefix,
        "SITE_ADDRESS": settings.site,
        "SECRETS_DIR": SECRETS,
        **sizes(memory_mb),
    }
    values = {
        "admin_key": settings.admin_key,
        "deploy_key": settings.deploy_key,
        "volume_id": str(volume_id),
        "settings": textwrap.indent("\n".join(f"{name}={value}" for name, value in told.items()), " " * 6),
    }
    # Before it is packed: packing may differ between machines, and is no drift.
    packed = tar(files)
    label = sha256(_filled({**values, "programs": ""}).encode() + packed).hexdigest()[:32]
    text = _filled({**values, "programs": base64.b64encode(compressed(packed)).decode()})
    if len(text.encode()) > LARGEST_BYTES:
        raise Refused(
            f"the cloud-config has {len(text.encode())} bytes and Hetzner takes {LARGEST_BYTES}; "
            "shorten deployment/hetzner/cloud-init.yml"
        )
    return CloudConfig(text, label)


def _filled(values: dict[str, str]) -> str:
    """Return the recipe with values in their places, and without what is said to its readers only."""
    return PLACE.sub(lambda found: values[found[1]], REMARK.sub("", RECIPE.read_text("utf-8")))
