"""/metrics and /healthz as Prometheus and Docker ask for them."""

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
class Patient:
    """A daemon whose health a test decides."""

    works: bool = True
    said: dict[str, object] = field(default_factory=lambda: {"state": "running"})
    port: int = 0

    def __call__(self) -> tuple[bool, dict[str, object]]:
        """Tell how it is."""
        return self.works, self.said


def ask(port: int, path: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.fixture
def patient() -> Iterator[Patient]:
    """Serve the probes of a patient with one metric."""
    registry = CollectorRegistry()
    Counter("archive_example_things", "Things.", registry=registry).inc(3)
    one = Patient()
    with serving(0, registry, one) as port:
        one.port = port
        yield one


def test_port_zero_takes_a_free_one(patient: Patient) -> None:
    assert patient.port > 0
    with serving(0, CollectorRegistry(), patient) as another:
        assert another not in (0, patient.port)


def test_metrics_are_prometheus_text(patient: Patient) -> None:
    status, kind, body = ask(patient.port, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert "archive_example_things_total 3.0" in body


def test_health_is_200_while_it_works_and_503_while_not(patient: Patient) -> None:
    status, kind, body = ask(patient.port, "/healthz")
    assert (status, kind) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "state": "running"}
    patient.works, patient.said = False, {"state": "starting", "reasons": ["no cursor"]}
    status, _, body = ask(patient.port, "/healthz")
    assert status == 503
    assert json.loads(body) == {"status": "failing", "state": "starting", "reasons": ["no cursor"]}


@pytest.mark.parametrize("path", ["/", "/metricsx", "/health", "/healthz/x"])
def test_nothing_else_lives_here(path: str, patient: Patient) -> None:
    assert ask(patient.port, path)[0] == 404


def test_a_query_changes_nothing(patient: Patient) -> None:
    assert ask(patient.port, "/healthz?verbose=1")[0] == 200


def test_serving_ends_with_its_block() -> None:
    with serving(0, CollectorRegistry(), Patient()) as port:
        assert ask(port, "/healthz")[0] == 200
    with pytest.raises(urllib.error.URLError):
        ask(port, "/healthz")
    with serving(port, CollectorRegistry(), Patient()) as again:
        assert again == port


def test_the_check_prints_what_is_wrong_and_says_so_by_its_code(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{patient.port}/healthz"
    assert check(url) == 0
    assert '"status": "ok"' in capsys.readouterr().out
    patient.works, patient.said = False, {"reasons": ["silent"]}
    assert check(url) == 1
    assert "silent" in capsys.readouterr().out
    assert check(f"http://127.0.0.1:{free_port()}/healthz") == 1


def test_the_health_check_program_exits_as_docker_expects(patient: Patient) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        url = f"http://127.0.0.1:{patient.port}/healthz"
        program = [sys.executable, "-m", "services.shared.probes", url]
        return subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert run().returncode == 0
    patient.works = False
    done = run()
    assert (done.returncode, '"failing"' in done.stdout) == (1, True)
