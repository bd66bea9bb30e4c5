"""Short load runs with the code of the long ones: the limits hold and every event is archived."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import redis

from services.shared.event import JETSTREAM_STREAMS
from testing.demo.source import Generated
from testing.events import HostView, Traffic
from testing.fakes.jetstream.sources import paced
from testing.harness.fixtures import missing
from testing.harness.host import Host
from testing.harness.redis import NoServerError, RedisServer, find_server
from testing.harness.truth import stream_of, traffic_of, truth_of_traffic
from testing.harness.waiting import wait_for
from testing.performance.bench.frames import make_frames
from testing.performance.bench.receiving import by_the_ingester
from testing.performance.bench.writing import by_the_writer
from testing.performance.load.figures import behind, peak, recovery
from testing.performance.load.plan import SHAPES, RunPlan, Shape, Stage
from testing.performance.load.run import run
from testing.performance.load.sample import Sampler
from testing.performance.load.swarm import Swarm
from testing.performance.load.target import Processes
from testing.performance.load.verdict import MEASURES, judge, limits_of
from testing.proof.audit import rebuild_events
from testing.proof.audit.canonical import identity, parse

if TYPE_CHECKING:
    from pathlib import Path

    from testing.performance.load.result import Result

FIRST_US = 1_783_175_888_000_000
SPIKE = SHAPES["spike"].scaled(30.0, 2_000.0)
SUSTAINED = SHAPES["steady"].scaled(40.0, 600.0)
RECOVERY_SECONDS = 300.0
OUTAGE_SECONDS = 120.0


@pytest.fixture(scope="module")
def spike(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the result of a short spike against the processes."""
    return play(SPIKE, tmp_path_factory.mktemp("spike"))


def play(shape: Shape, folder: Path) -> Result:
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    return run(Processes(folder), shape, lambda _: None, print)


def broken(result: Result, *names: str) -> list[str]:
    findings = judge(result, limits_of(result.shape.name))
    assert {finding.limit for finding in findings} >= set(names)
    return [str(finding) for finding in findings if not finding.holds and finding.limit in names]


def test_mock_data_generation() -> None:
    events = 20_000
    traffic = paced(Traffic(3, FIRST_US, 50.0)).with_rate(2_000, 5_000.0).with_rate(12_000, 100.0)
    frames = [json.loads(traffic.frame(i, HostView())) for i in range(events)]
    times = [frame["time_us"] for frame in frames]
    assert times == sorted(set(times))
    assert [traffic.index_at(at) for at in times[::97]] == list(range(0, events, 97))
    # 2,001 events at 50 a second, 10,000 at 5,000, the rest at 100.
    spans = [times[end] - times[begin] for begin, end in ((0, 2_001), (2_001, 12_001), (12_001, 19_999))]
    assert [round(span / 1e6) for span in spans] == [40, 2, 80]
    # The mix of the network: mostly likes, then posts, reposts and follows, and a few of everything else.
    shares = Counter(stream_of(json.dumps(frame).encode()) for frame in frames)
    assert set(shares) == {str(stream) for stream in JETSTREAM_STREAMS}
    assert [stream for stream, _ in shares.most_common(1)] == ["likes"]
    assert len({identity(frame) for frame in frames}) == events
    # The expected events are computed from a host's status, rate changes included.
    source = {"seed": 3, "first_us": FIRST_US, "rate": 50.0, "total": 3_000, "rhythm": None}
    again = traffic_of({"source": {**source, "changes": json.loads(json.dumps(traffic.changes))}})
    assert [parse(frame) for _, frame in truth_of_traffic(again)] == frames[:3_000]


def test_redis_buffer_load(redis_server: RedisServer, tmp_path: Path) -> None:
    host = Host({"rate": "1"})
    host.start()
    try:
        shape = Shape("pushes", (Stage(10.0, 0),), 0.0)
        url = redis_server.url("tools")
        table = str(tmp_path / "locust")
        place = RunPlan(f"{host.address}/control", url, None, shape, table, 5.0, is_driven=False)
        swarm = Swarm(tmp_path, place)
        swarm.start()
        with redis.Redis.from_url(url) as beside:
            wait_for(lambda: _commands(beside) > 1_000 or not swarm.runs(), 60, "Locust to push")
            before, began = _commands(beside), time.monotonic()
            wait_for(lambda: not swarm.runs(), 60, "Locust to end")
            answered = (_commands(beside) - before) / (time.monotonic() - began)
            left = {name: beside.info("keyspace").get(name) for name in ("db0", "db1")}
            used = int(beside.info("memory")["used_memory"])
        swarm.end()
    finally:
        host.stop()
    (row,) = swarm.rows()
    assert (row.kind, row.failures) == ("BUFFER", 0), swarm.last_output()
    assert answered >= 1_000
    # The pushes were another database's, bounded, and nothing of them is left.
    assert left == {"db0": None, "db1": None}
    assert used < 50e6


def test_data_writer_load(tmp_path: Path) -> None:
    events = 30_000
    frames = make_frames(tmp_path, Generated(events / 500, 500.0, 5), FIRST_US)
    received, _ = by_the_ingester(tmp_path / "ingester", frames)
    written = by_the_writer(tmp_path / "writer", frames)
    limits = limits_of("replay")
    assert events / received.seconds >= SHAPES["replay"].peak
    assert events / written.seconds >= SHAPES["replay"].peak
    assert written.seconds <= limits["batch_seconds"]
    assert written.rss / 1e6 <= limits["rss_writer_mb"]
    assert received.rss / 1e6 <= limits["rss_ingester_mb"]


def test_system_resources(spike: Result) -> None:
    names = [name for name in MEASURES if name.startswith(("cpu_", "rss_", "redis_", "written_"))]
    assert not broken(spike, *names)
    # Every process was sampled under load, without long pauses.
    assert all(peak(spike.samples, f"rss.{name}") > 1e6 for name in ("host", "ingester", "redis", "writer"))
    assert peak(spike.samples, "cpu_total.ingester") > 0
    gaps = [after["at"] - before["at"] for before, after in itertools.pairwise(spike.samples)]
    assert max(gaps) < 10


def test_data_integrity(spike: Result) -> None:
    assert spike.truth > SPIKE.events * 0.8
    assert spike.planted == spike.rejected > 0
    assert not broken(spike, "lost", "doubled", "altered", "unexplained_rejects", "unaccounted", "gap_rows")
    # The audit compares digests; here every value of every event is compared.
    root = spike.folder / "archive"
    archived = [event for stream in JETSTREAM_STREAMS for event in rebuild_events(root, stream)]
    host = json.loads((spike.folder / "host.json").read_text(encoding="utf-8"))
    expected = {
        identity(event): event for _, frame in truth_of_traffic(traffic_of(host)) for event in [parse(frame)]
    }
    assert {identity(event): event for event in archived} == expected
    assert len(archived) == len(expected) == spike.truth


@pytest.mark.parametrize("fault_name", ["spike", "upstream outage", "stopped writer"])
def test_recovery_scenarios(fault_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if fault_name == "spike":
        assert not broken(request.getfixturevalue("spike"), "recovery_seconds")
        return
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    rate = 200.0
    # The host's clock starts in the past, so that an outage of two minutes takes no time.
    first_us = int((time.time() - 2 * OUTAGE_SECONDS) * 1e6)
    host = Host({"rate": str(rate), "first-us": str(first_us)})
    target = Processes(tmp_path, hosts=[host], write={"WRITER_INTERVAL": "2", "WRITER_MAX_AGE": "2"})
    with target, Sampler(target, dict, 0.5, lambda _: None) as sampler:
        wait_for(lambda: sampler.now() > 8, 30, "normal samples")
        normal = list(sampler.samples)
        fault = {"upstream outage": _outage, "stopped writer": _stopped_writer}[fault_name]
        worst = fault(target, sampler)
        since = sampler.now()
        wait_for(
            lambda: recovery(list(sampler.samples), normal, since, rate) < RECOVERY_SECONDS,
            RECOVERY_SECONDS,
            f"back to normal after: {fault_name}",
        )
    # The fault had an effect.
    assert worst > 5 * rate > 0


def test_sustained_load(tmp_path: Path) -> None:
    result = play(SUSTAINED, tmp_path)
    assert not broken(result, "rss_rise_mb", "depth_rise_intervals", "received_share", "lost", "doubled")
    assert result.loaded[1] - result.loaded[0] >= SUSTAINED.seconds * 0.9


def _outage(target: Processes, sampler: Sampler) -> float:
    """Take the host down for two minutes of event time; returns the resulting lag in events."""
    host = target.pipeline.hosts[0]
    with host.control() as control:
        control.send("down")
        control.send("advance", seconds=OUTAGE_SECONDS)
        since = sampler.now()
        wait_for(lambda: sampler.samples[-1]["at"] > since + 1, 30, "a sample of the outage")
        worst = behind(sampler.samples)[-1][1]
        control.send("up")
    assert worst >= OUTAGE_SECONDS * 200 * 0.9
    return worst


def _stopped_writer(target: Processes, sampler: Sampler) -> float:
    """Stop the writer until many events are in Redis; returns their number."""
    assert target.writer.stop() == 0
    wait_for(lambda: sampler.samples[-1].get("waiting", 0) > 2_000, 60, "events to wait")
    worst = sampler.samples[-1]["waiting"]
    target.writer.start()
    return worst


def _commands(server: redis.Redis) -> int:
    return int(server.info("stats")["total_commands_processed"])
