"""One sample: a compressed archive with `archive/`, `redis.json` and `truth.jsonl`."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testing.harness.truth import stream_of

if TYPE_CHECKING:
    import redis

FOLDER = Path(__file__).resolve().parent
NOT_AN_EVENT = b"not an event, and kept all the same"


def sample_path(version: int) -> Path:
    """Return the path of the sample of a schema version, whether or not it exists."""
    return FOLDER / f"v{version}.tar.xz"


def versions() -> list[int]:
    """Return the versions that have a sample."""
    return sorted(int(path.name.removesuffix(".tar.xz")[1:]) for path in FOLDER.glob("v*.tar.xz"))


@dataclass(frozen=True)
class Sample:
    """A sample, unpacked in a folder."""

    folder: Path

    @property
    def archive(self) -> Path:
        """The archive's root."""
        return self.folder / "archive"

    @property
    def frames(self) -> Path:
        """All events of the host in order, including those that were not received."""
        return self.folder / "truth.jsonl"

    def truth(self) -> list[tuple[str, bytes]]:
        """Return the truth: what the archive must hold after the rest has been received."""
        frames = self.frames.read_bytes().splitlines()
        return [*((stream_of(frame), frame) for frame in frames), ("rejects", NOT_AN_EVENT)]

    def restore(self, server: redis.Redis, host: str) -> None:
        """Restore the saved keys to an empty Redis; replaces the host's address by `host`, also on disk."""
        saved = json.loads((self.folder / "redis.json").read_text(encoding="utf-8"))
        old, new = saved["host"].encode(), host.encode()
        for key, (kind, value) in saved["keys"].items():
            if kind == "string":
                server.set(key, value.encode("latin-1").replace(old, new))
            elif kind == "list":
                server.rpush(key, *(element.encode("latin-1") for element in value))
            else:
                server.hset(key, mapping=value)
        for path in (self.archive / ".state/checkpoints").iterdir():
            path.write_bytes(path.read_bytes().replace(old, new))


def unpack(version: int, folder: Path) -> Sample:
    """Unpack a version's sample into a folder."""
    with tarfile.open(sample_path(version)) as tar:
        tar.extractall(folder, filter="data")
    return Sample(folder)


def pack(folder: Path, version: int) -> Path:
    """Pack a folder as the sample of a version. Raises FileExistsError if it exists."""
    path = sample_path(version)
    with tarfile.open(path, "x:xz") as tar:
        for name in ("archive", "redis.json", "truth.jsonl"):
            tar.add(folder / name, name)
    return path


def dumped(server: redis.Redis, host: str) -> str:
    """Return all keys of a Redis server as JSON."""
    keys: dict[str, Any] = {}
    for key in sorted(server.scan_iter("*")):
        kind = _text(server.type(key))
        if kind == "string":
            value: Any = _text(server.get(key))
        elif kind == "list":
            value = [_text(element) for element in server.lrange(key, 0, -1)]
        else:
            value = {_text(name): _text(count) for name, count in server.hgetall(key).items()}
        keys[_text(key)] = (kind, value)
    return json.dumps({"host": host, "keys": keys}, indent=0)


def _text(value: Any) -> str:
    # Bytes unchanged, so that repeated events compress well.
    return str(value, "latin-1")
