"""Pure: what the host runs by itself, before and between releases, packed for its cloud-config."""

from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path

from deployment.pack_deploy_agent import bare, deploy_agent

DEPLOYMENT = Path(__file__).parents[1]
SHEBANG = "#!/usr/bin/env python3\n"
SINGLE_FILES = {"backup": "backup.py", "make_secrets": "make_secrets.py"}


def programs() -> dict[str, bytes]:
    """Return each program by its name in /opt/archive/bin: for the host's own Python, without comments."""
    files = {
        name: (SHEBANG + bare((DEPLOYMENT / file).read_text("utf-8"))).encode()
        for name, file in SINGLE_FILES.items()
    }
    return {"deploy-agent": deploy_agent(), **files}


def tar(files: dict[str, bytes]) -> bytes:
    """Return them in one archive: the same files give the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o755
            archive.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()


def compressed(data: bytes) -> bytes:
    """Return it as small as can be: a cloud-config has 32 KiB for everything."""
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
