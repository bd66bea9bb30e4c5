"""The answers of the health service: for all and for one, with reasons, and never late."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from prometheus_client import CollectorRegistry

from services.monitoring.daemon_health import ask_daemon
from services.monitoring.question import Question, Verdict
from services.monitoring.serve import look, serving
from services.shared import probes

if TYPE_CHECKING:
    from collections.abc import Callable

FINE = Verdict(works=True, said={"state": "paused", "why": "Redis holds 76% of maxmemory"})
ILL = Verdict(works=False, said={"reasons": ["it hurts"]})


def _ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def _questions(**answers: Callable[[], Verdict]) -> dict[str, Question]:
    return {name: Question(ask) for name, ask in answers.items()}


def test_all_and_one() -> None:
    questions = _questions(redis=lambda: ILL, jetstream=lambda: FINE)
    with serving(0, questions) as port:
        assert _ask(port, "/healthz") == (
            503,
            {
                "status": "failing",
                "failing": ["redis"],
                "services": {
                    "redis": {"status": "failing", **ILL.said},
                    "jetstream": {"status": "ok", **FINE.said},
                },
            },
        )
        assert _ask(port, "/healthz/redis?x=1") == (503, {"status": "failing", **ILL.said})
        assert _ask(port, "/healthz/jetstream") == (200, {"status": "ok", **FINE.said})
        assert _ask(port, "/alive") == (200, {"status": "ok"})
        status, said = _ask(port, "/healthz/nobody")
        assert (status, said["paths"]) == (404, ["/healthz", "/healthz/redis", "/healthz/jetstream"])


def test_paused_is_healthy_and_said() -> None:
    status, said = look("/healthz", _questions(jetstream=lambda: FINE))
    assert status == HTTPStatus.OK
    assert said["services"] == {"jetstream": {"status": "ok", **FINE.said}}


def test_what_hangs_holds_up_nobody() -> None:
    release = threading.Event()
    asked = 0

    def hang() -> Verdict:
        nonlocal asked
        asked += 1
        release.wait()
        return FINE

    questions = _questions(redis=hang, jetstream=lambda: FINE)
    for _ in range(2):
        began = time.monotonic()
        status, said = look("/healthz", questions)
        assert time.monotonic() - began < 1
        assert status == HTTPStatus.SERVICE_UNAVAILABLE
        assert said["failing"] == ["redis"]
    assert asked == 1
    release.set()
    assert questions["redis"].put().result().works
    assert look("/healthz", questions)[0] == HTTPStatus.OK


def test_a_daemon_is_asked() -> None:
    with probes.serving(0, CollectorRegistry(), lambda: FINE) as port:
        assert ask_daemon(f"http://127.0.0.1:{port}/healthz") == FINE
    with probes.serving(0, CollectorRegistry(), lambda: ILL) as port:
        assert ask_daemon(f"http://127.0.0.1:{port}/healthz") == ILL
    verdict = ask_daemon(f"http://127.0.0.1:{port}/healthz")
    assert not verdict.works
    assert "no answer from" in str(verdict.said["reasons"])


def test_a_daemon_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        verdict = ask_daemon(f"http://127.0.0.1:{mute.getsockname()[1]}/healthz")
        assert time.monotonic() - began < 1
    assert not verdict.works


def test_a_daemon_that_says_no_json() -> None:
    with probes.serving(0, CollectorRegistry(), lambda: FINE) as port:
        verdict = ask_daemon(f"http://127.0.0.1:{port}/nowhere")
    assert not verdict.works
    assert "something else than JSON" in str(verdict.said["reasons"])
