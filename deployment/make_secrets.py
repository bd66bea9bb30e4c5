"""Make the stack's secrets, once: `make secrets`. What exists is never overwritten."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path

PASSWORDS = (
    "redis_ingester",
    "redis_writer",
    "redis_tools",
    "redis_exporter",
    "redis_health",
    "grafana_admin",
)
ADDRESSES = (
    "alert_webhook",
    "alert_slack",
    "alert_discord",
    "alert_smtp_password",
    "alert_watchdog",
    "object_store_keys",
)
"""Made empty, for a person to fill: how alerts reach somebody, the dead man's switch, and for
`archive offload` the bucket's access key and its secret, a line each."""
EXPORTER_MAP = "redis_exporter.json"
"""redis_exporter takes no bare password from a file, only a map by address."""
EXPORTER_ADDRESSES = ("redis://redis:6379", "redis://exporter@redis:6379")
SETTING = "SECRETS_DIR"


def make_secrets(folder: Path) -> list[str]:
    """Write each missing secret; returns the names of those written.

    The files can be read by everybody, because each container reads its own as a user of its own; the
    folder by its owner only, which keeps other users of this machine out.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = [name for name in PASSWORDS if _write(folder / name, secrets.token_urlsafe(32))]
    written += [name for name in ADDRESSES if _write(folder / name, "", mode=0o644)]
    password = (folder / "redis_exporter").read_text(encoding="utf-8").strip()
    if _write(folder / EXPORTER_MAP, json.dumps(dict.fromkeys(EXPORTER_ADDRESSES, password))):
        written.append(EXPORTER_MAP)
    return written


def name_folder(settings: Path, folder: str) -> bool:
    """Tell Compose where the secrets lie, in `.env`; returns whether that was to be written."""
    lines = settings.read_text(encoding="utf-8").splitlines() if settings.exists() else []
    if any(line.startswith(f"{SETTING}=") for line in lines):
        return False
    settings.write_text("\n".join([*lines, f"{SETTING}={folder}", ""]), encoding="utf-8")
    return True


def main(root: Path) -> int:
    """Make them in `secrets` below `root`, and say what was done."""
    folder = root / "secrets"
    for name in make_secrets(folder):
        print(f"secrets: wrote {folder / name}")  # noqa: T201 - for the person who asked
    if name_folder(root / ".env", "./secrets"):
        print(f"secrets: told Compose in {root / '.env'}")  # noqa: T201 - as above
    print("secrets: all there")  # noqa: T201 - as above
    return 0


def _write(path: Path, text: str, mode: int = 0o444) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        return False
    path.chmod(mode)
    return True


if __name__ == "__main__":
    sys.exit(main(Path()))
