"""Every command on the archive of a running pipeline, compared with the events that its host sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from testing.harness.daemons import PREFIXES, REPOSITORY
from testing.harness.host import Host
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit.canonical import canonical, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.harness.pipeline import Pipeline

EVENTS = 3000


def test_a_running_pipelines_archive(pipeline: Callable[..., Pipeline]) -> None:
    host = Host({"rate": "1000", "events": str(EVENTS), "kind": "v2", "seed": "17"})
    running = pipeline(host)
    running.start()

    def archive(*words: str, code: int = 0) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
        env |= {
            "ARCHIVE_ROOT": str(running.root),
            "TOOLS_METRICS_URL": f"http://127.0.0.1:{running.writer.port}/metrics",
            "REDIS_URL": running.redis.url("tools"),
        }
        done = subprocess.run(
            [sys.executable, "-m", "services.tools.main", *words],
            check=False,
            cwd=REPOSITORY,
            env=env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr or done.stdout
        return done.stdout

    running.wait_pushed(EVENTS, 60)
    running.wait_committed(60)
    truth = list(truth_of(host))
    wait_for(
        lambda: set((json.loads(archive("status", "--json"))["unaccounted"] or {1: 1}).values()) == {0},
        60,
        "the ledger comes to 0",
    )
    reported = json.loads(archive("status", "--json"))
    rows = {stream: figures["rows"] for stream, figures in reported["streams"].items() if figures["rows"]}
    assert rows == Counter(stream for stream, _ in truth) | {"gaps": 1}
    assert set(reported["checkpoints"]) == set(reported["streams"])
    assert json.loads(archive("verify", "--json"))["findings"] == []
    counted = json.loads(archive("sql", "--json", "SELECT count(DISTINCT did) AS n FROM likes"))
    likes = {json.loads(frame)["did"] for stream, frame in truth if stream == "likes"}
    assert counted == [{"n": len(likes)}]
    assert json.loads(archive("gaps", "--json"))["gaps"] == [], "the archive start is no hole"
    exported = sorted(canonical(parse(line)) for line in archive("export").splitlines())
    assert exported == sorted(canonical(parse(frame)) for _, frame in truth)
