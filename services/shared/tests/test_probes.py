"""/metrics and /healthz as Prometheus and Docker request them."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Counter

from services.shared.probes import check, serving
from testing.harness.daemons import REPOSITORY
from testing.harness.redis import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class FakeDaemon:
    """A daemon whose health a test sets."""

    works: bool = True
    facts: dict[str, object] = field(default_factory=lambda: {"state": "running"})
    port: int = 0

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Return the health that was set."""
        return self.works, self.facts


def ask(port: int, path: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.fixture
def fake() -> Iterator[FakeDaemon]:
    """Serve the probes of a daemon with one metric."""
    registry = CollectorRegistry()
    Counter("archive_example_things", "Things.", registry=registry).inc(3)
    one = FakeDaemon()
    with serving(0, registry, one) as port:
        one.port = port
        yield one


def test_port_zero_chooses_a_free_port(fake: FakeDaemon) -> None:
    assert fake.port > 0
    with serving(0, CollectorRegistry(), fake) as another:
        assert another not in (0, fake.port)


def test_metrics_are_prometheus_text(fake: FakeDaemon) -> None:
    status, kind, body = ask(fake.port, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert "archive_example_things_total 3.0" in body


def test_health_is_200_while_it_works_and_503_otherwise(fake: FakeDaemon) -> None:
    status, kind, body = ask(fake.port, "/healthz")
    assert (status, kind) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "state": "running"}
    fake.works, fake.facts = False, {"state": "starting", "reasons": ["no cursor"]}
    status, _, body = ask(fake.port, "/healthz")
    assert status == 503
    assert json.loads(body) == {"status": "failing", "state": "starting", "reasons": ["no cursor"]}


@pytest.mark.parametrize("path", ["/", "/metricsx", "/health", "/healthz/x"])
def test_other_paths_are_404(path: str, fake: FakeDaemon) -> None:
    assert ask(fake.port, path)[0] == 404


def test_a_query_string_is_ignored(fake: FakeDaemon) -> None:
    assert ask(fake.port, "/healthz?verbose=1")[0] == 200


def test_serving_ends_with_its_block() -> None:
    with serving(0, CollectorRegistry(), FakeDaemon()) as port:
        assert ask(port, "/healthz")[0] == 200
    with pytest.raises(urllib.error.URLError):
        ask(port, "/healthz")
    with serving(port, CollectorRegistry(), FakeDaemon()) as again:
        assert again == port


def test_the_check_prints_the_response_and_returns_its_exit_code(
    fake: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{fake.port}/healthz"
    assert check(url) == 0
    assert '"status": "ok"' in capsys.readouterr().out
    fake.works, fake.facts = False, {"reasons": ["silent"]}
    assert check(url) == 1
    assert "silent" in capsys.readouterr().out
    assert check(f"http://127.0.0.1:{free_port()}/healthz") == 1


def test_the_health_check_program_exits_as_docker_expects(fake: FakeDaemon) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        url = f"http://127.0.0.1:{fake.port}/healthz"
        program = [sys.executable, "-m", "services.shared.probes", url]
        return subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert run().returncode == 0
    fake.works = False
    done = run()
    assert (done.returncode, '"failing"' in done.stdout) == (1, True)
