"""What no fault may leave behind: staged files, claims, processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import redis

NAMES = (".state/id", ".state/epoch")


def strange_files(root: Path) -> list[str]:
    """Return every file in an archive that is no part, no checkpoint, no lock, id or epoch."""
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and path.parent.name != ".state/locks" and not _belongs(root, path)
    )


def strange_keys(tools: redis.Redis) -> list[str]:
    """Return every claim and every buffer that still holds something."""
    found = [*tools.scan_iter("archive:claim:*"), *tools.scan_iter("archive:buffer:*")]
    return sorted(name.decode() for name in found if isinstance(name, bytes))


def _belongs(root: Path, path: Path) -> bool:
    if path.parent == root:
        return path.name in NAMES
    if path.parent.name == ".state/checkpoints":
        return path.suffix == ".json"
    return path.suffix == ".parquet" and path.parent.name.startswith("hour=")
