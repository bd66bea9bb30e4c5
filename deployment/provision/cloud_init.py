"""The host's cloud-config: programs, memory limits and settings filled into its template. Pure.

The same settings and programs give the same bytes.
"""

from __future__ import annotations

import base64
import io
import lzma
import re
import tarfile
import textwrap
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deployment.pack_deploy_agent import bare, deploy_agent
from deployment.provision.errors import Refused

if TYPE_CHECKING:
    from deployment.provision.settings import Settings

DEPLOYMENT = Path(__file__).parents[1]
TEMPLATE = DEPLOYMENT / "hetzner" / "cloud-init.yml"
LARGEST_BYTES = 32 * 1024
PLACEHOLDER = re.compile(r"@\{(\w+)\}")
COMMENT = re.compile(r"^\s*# .*\n", re.MULTILINE)
SECRETS = "/opt/archive/shared/secrets"
SHEBANG = "#!/usr/bin/env python3\n"
SINGLE_FILES = {"backup": "backup.py", "make_secrets": "make_secrets.py"}
MIN_MEMORY_MB = 4096
MIN_CORES = 2
MIN_DISK_GB = 80
MAX_SHARE = 0.85
"""Of the machine's memory, for the limits of all containers together; the kernel has the rest."""
MERGE_MIN_MB = 7600
"""Memory from which closed hours are merged; a machine of 8 GB has it."""
WRITING_MB = 520
"""Memory of the compactor beside its sorting, measured on large hours."""
FORK_FACTOR = 1.5
"""Memory limit of Redis by its maxmemory: a fork copies pages, and Redis refuses to start with less."""


class CloudConfig(NamedTuple):
    """The text, and its hash for the server's label: the API never returns user_data."""

    text: str
    label: str


def render(settings: Settings, volume_id: int, memory_mb: int, files: dict[str, bytes]) -> CloudConfig:
    """Return the cloud-config, with `files` in /opt/archive/bin; raises Refused when it is too large."""
    variables = {
        "IMAGE_PREFIX": settings.image_prefix,
        "SITE_ADDRESS": settings.site,
        "SECRETS_DIR": SECRETS,
        **sizes(memory_mb),
    }
    values = {
        "admin_key": settings.admin_key,
        "deploy_key": settings.deploy_key,
        "volume_id": str(volume_id),
        "settings": textwrap.indent(
            "\n".join(f"{name}={value}" for name, value in variables.items()), " " * 6
        ),
    }
    # The hash is of uncompressed files: compression may differ between machines, and that is no drift.
    packed = _tar(files)
    label = sha256(_filled({**values, "programs": ""}).encode() + packed).hexdigest()[:32]
    text = _filled({**values, "programs": base64.b64encode(_compressed(packed)).decode()})
    if len(text.encode()) > LARGEST_BYTES:
        raise Refused(
            f"the cloud-config has {len(text.encode())} bytes and Hetzner takes {LARGEST_BYTES}; "
            "shorten deployment/hetzner/cloud-init.yml"
        )
    return CloudConfig(text, label)


def programs() -> dict[str, bytes]:
    """Return each program of the host by its name in /opt/archive/bin, without comments."""
    files = {
        name: (SHEBANG + bare((DEPLOYMENT / file).read_text("utf-8"))).encode()
        for name, file in SINGLE_FILES.items()
    }
    return {"deploy-agent": deploy_agent(), **files}


def sizes(memory_mb: int) -> dict[str, str]:
    """Return Compose's memory limits for a machine; raises Refused for one that is too small."""
    if memory_mb < MIN_MEMORY_MB:
        raise Refused(
            f"{memory_mb} MB of memory are too little; choose a server_type with {MIN_MEMORY_MB} MB or more"
        )
    redis = memory_mb // 4
    shares = {
        "REDIS_MEMORY_LIMIT": int(redis * FORK_FACTOR),
        "JETSTREAM_MEMORY_LIMIT": min(memory_mb // 16, 768),
        "DATA_WRITER_MEMORY_LIMIT": min(memory_mb // 8, 1536),
        "COMPACTOR_MEMORY_LIMIT": _compactor(memory_mb),
        "PROMETHEUS_MEMORY_LIMIT": min(memory_mb // 16, 1024),
        "GRAFANA_MEMORY_LIMIT": min(memory_mb // 20, 512),
        "CADDY_MEMORY_LIMIT": min(memory_mb // 64, 256),
    }
    # Sorting an hour needs WRITING_MB beside this; a small machine does not merge its parts.
    sorting = max(0, shares["COMPACTOR_MEMORY_LIMIT"] - WRITING_MB)
    return {
        "REDIS_MAXMEMORY": f"{redis}mb",
        "COMPACT_MEMORY_MB": str(min(sorting, 384)),
        **{name: f"{size}m" for name, size in shares.items()},
    }


def _tar(files: dict[str, bytes]) -> bytes:
    """Return files as one tar archive, reproducibly."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o755
            archive.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()


def _compressed(data: bytes) -> bytes:
    """Compress as far as possible: a cloud-config has 32 KiB for everything."""
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)


def _filled(values: dict[str, str]) -> str:
    """Return the template without comments and with its placeholders replaced."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], COMMENT.sub("", TEMPLATE.read_text("utf-8")))


def _compactor(memory_mb: int) -> int:
    """Return the compactor's limit in MB: enough to merge, or only enough to count."""
    return min(memory_mb // 12, 1536) if memory_mb >= MERGE_MIN_MB else 192
