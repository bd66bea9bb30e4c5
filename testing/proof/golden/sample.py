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
NO_EVENT = b"not an event, and kept all the same"


def sample_path(version: int) -> Path:
    """Return where the sample of a schema version lies, or would."""
    return FOLDER / f"v{version}.tar.xz"


def versions() -> list[int]:
    """Return the versions that have one."""
    return sorted(int(path.name.removesuffix(".tar.xz")[1:]) for path in FOLDER.glob("v*.tar.xz"))


@dataclass(frozen=True)
class Sample:
    """A sample that lies unpacked in a folder."""

    folder: Path

    @property
    def archive(self) -> Path:
        """The archive's root."""
        return self.folder / "archive"

    @property
    def frames(self) -> Path:
        """All events of the host, in its order; more of them than were received."""
        return self.folder / "truth.jsonl"

    def truth(self) -> list[tuple[str, bytes]]:
        """Return what is to be in the archive once the rest was received too."""
        frames = self.frames.read_bytes().splitlines()
        return [*((stream_of(frame), frame) for frame in frames), ("rejects", NO_EVENT)]

    def restore(self, server: redis.Redis, host: str) -> None:
        """Put into an empty Redis what was in it; the host's address becomes `host`, here and on disk."""
        told = json.loads((self.folder / "redis.json").read_text(encoding="utf-8"))
        was, now = told["host"].encode(), host.encode()
        for key, (kind, value) in told["keys"].items():
            if kind == "string":
                server.set(key, value.encode("latin-1").replace(was, now))
            elif kind == "list":
                server.rpush(key, *(element.encode("latin-1") for element in value))
            else:
                server.hset(key, mapping=value)
        for path in (self.archive / ".state/checkpoints").iterdir():
            path.write_bytes(path.read_bytes().replace(was, now))


def unpack(version: int, folder: Path) -> Sample:
    """Unpack a version's sample into a folder."""
    with tarfile.open(sample_path(version)) as tar:
        tar.extractall(folder, filter="data")
    return Sample(folder)


def pack(folder: Path, version: int) -> Path:
    """Pack what lies in a folder as a version's sample; raises FileExistsError where there is one."""
    path = sample_path(version)
    with tarfile.open(path, "x:xz") as tar:
        for name in ("archive", "redis.json", "truth.jsonl"):
            tar.add(folder / name, name)
    return path


def dumped(server: redis.Redis, host: str) -> str:
    """Return all of a Redis as JSON."""
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
    # Bytes as they are, so that the same event packs to nothing beside itself.
    return str(value, "latin-1")
