"""The whole deployment against a machine that is one as far as it can tell; the names here are fixed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from deployment.tests import deployment_story as story
from testing.audit import audit
from testing.fake_vm import FakeVM
from testing.production import Production

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def production(
    images: str,  # noqa: ARG001 - the upstream's image
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Production]:
    """Give an empty machine, its registry with the first commit's release, and an upstream."""
    folder = tmp_path_factory.mktemp("production")
    with FakeVM(folder / "vm") as vm:
        one = Production(vm, folder)
        try:
            one.first = one.clone()
            one.mirror()
            one.build(one.first)
            one.prepare()
            yield one
        finally:
            one.end()


@pytest.mark.timeout(1800)
def test_hetzner_deployment(production: Production) -> None:
    one = production
    took = [story.timed("first deploy, on an empty machine", story.first, one, one.first)]
    took.append(story.timed("the same commit again", story.again, one, one.first))
    bad = story.break_the_ingester(one)
    took.append(story.timed("a broken release, and the way back", story.broken, one, bad, one.first))
    newer = story.change_the_ingester(one, "second")
    took.append(story.timed("second deploy", story.second, one, newer))
    third = story.change_the_ingester(one, "third")
    took.append(story.timed("refused six times", story.refused, one, third, one.first, newer))
    two = story.two_at_once_and_a_client_killed
    took.append(story.timed("two at once, then the client killed", two, one, third, newer))
    took.append(story.timed("rolled back by hand", story.rolled_back_by_hand, one, newer))
    began = time.monotonic()
    one.wait_committed(one.upstream.end(), 120)
    verdict = audit(one.archive(), one.upstream.truth())
    took.append(f"{'the audit across all of it':<44} {time.monotonic() - began:6.1f} s")
    print("\n".join(["", *took, str(verdict)]))
    assert verdict.passed, str(verdict)
