"""Creates the sample of the present schema version: `python -m testing.proof.golden`, once per version."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

from services.archive.schema import SCHEMA_VERSION
from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.harness.programs import unwind_on_signals
from testing.harness.proxy import Action, Proxy, Trap
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.golden.sample import NOT_AN_EVENT, dumped, pack, sample_path

EVENTS = 200
SECONDS = 30.0


def main() -> int:
    """Create the sample; returns 1 if it exists."""
    path = sample_path(SCHEMA_VERSION)
    if path.exists():
        print(f"{path} exists; the sample of a version is never replaced")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        print(f"{path}: {pack(Path(folder), SCHEMA_VERSION).stat().st_size} bytes")
    return 0


def make(folder: Path) -> None:
    """Write archive, Redis and truth to a folder: one round committed, the next killed in an ack."""
    host = Host({"rate": "15", "events": str(EVENTS), "kind": "v2", "seed": "13"})
    pipeline = Pipeline(folder, [host], write={"WRITER_CHUNK": "100"})
    try:
        pipeline.redis.start()
        host.start()
        host.send("plant", payload=base64.b64encode(NOT_AN_EVENT).decode(), before=5)
        pipeline.configure()
        pipeline.ingester.start()
        # The archive start, for which the ingester waits.
        _write_once(pipeline)
        pipeline.wait_pushed(EVENTS // 5, SECONDS)
        _write_once(pipeline)
        pipeline.wait_pushed(EVENTS // 2, SECONDS)
        if pipeline.ingester.stop() != 0:
            raise RuntimeError(pipeline.ingester.log.read_text(encoding="utf-8"))
        with Proxy(pipeline.redis.port) as proxy:
            trap = proxy.arm(Trap(b"archive:claim:likes:", 1, Action.LOSE_COMMAND, pipeline.writer.kill))
            pipeline.writer.settings["REDIS_URL"] = proxy.redirect(pipeline.redis.url("writer"))
            pipeline.writer.start("--once")
            wait_for(trap.sprung.is_set, SECONDS, "an ack of likes")
        with pipeline.tools() as tools:
            (folder / "redis.json").write_text(dumped(tools, host.address), encoding="utf-8")
        (folder / "truth.jsonl").write_bytes(b"".join(frame + b"\n" for _, frame in truth_of(host)))
    finally:
        pipeline.end()


def _write_once(pipeline: Pipeline) -> None:
    pipeline.writer.start("--once")
    if pipeline.writer.wait(SECONDS) != 0:
        raise RuntimeError(pipeline.writer.log.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unwind_on_signals()
    sys.exit(main())
