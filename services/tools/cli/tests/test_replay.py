"""Frames that exceeded a limit become events, once, however often they are replayed."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from services.shared.event import Stream
from services.tools.tests.running import run
from testing.harness.host import Host
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.pipeline import Pipeline

LIMIT = 1024
WIDER = {"INGEST_MAX_EVENT_BYTES": "8388608"}


def test_frames_within_a_raised_limit_are_stored_once_and_the_rest_stays_rejected(
    pipeline: Callable[..., Pipeline],
) -> None:
    source = Host({"rate": "200", "events": "2000", "backlog": "10"})
    source.start()
    source.send("plant", payload=b64encode(b"{no JSON").decode(), before=10)
    with pipeline(source, ingest={"INGEST_MAX_EVENT_BYTES": str(LIMIT)}) as running:
        truth = list(truth_of(source))
        larger = [frame for _, frame in truth if len(frame) > LIMIT]
        assert larger
        wait_for(lambda: running.pushed().get("rejects:pushed", 0) == len(larger) + 1, 60, "all refused")
        running.wait_pushed(len(truth) - len(larger), 60)
        running.wait_committed(30)
        code, output = run(running, "rejects", "replay", **WIDER)
        assert (code, f"{len(larger):,} of them are not in the archive" in output) == (1, True), output
        assert running.distinct() == len(truth) - len(larger), "nothing is pushed without --yes"
        code, output = run(running, "rejects", "replay", "--yes", **WIDER)
        assert (code, f"{len(larger):,} were pushed" in output) == (0, True), output
        again = run(running, "rejects", "replay", "--yes", **WIDER)
        running.wait_committed(30)
        once_more = run(running, "rejects", "replay", "--yes", **WIDER)
        assert "\n0 were pushed" in again[1]
        assert "\n0 were pushed" in once_more[1]
        wait_for(lambda: running.writer.total("archive_unaccounted_events") == 0, 30, "the ledger closed")
    verdict = audit(running.root, truth)
    assert verdict.errors == 0, verdict
    assert verdict.uncompared[Stream.REJECTS] == len(larger) + 1
