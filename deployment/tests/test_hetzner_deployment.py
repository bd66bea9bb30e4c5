"""The whole deployment against a machine that is one as far as it can tell; the names here are fixed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from deployment.tests import deployment_story as story
from deployment.tests.workflows import carry_out, jobs, substitutes
from testing.audit import audit
from testing.fake_vm import FakeVM
from testing.production import Production
from testing.waiting import wait_for

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
            one.first = one.releases.clone()
            one.releases.mirror()
            one.releases.build(one.first)
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


@pytest.mark.timeout(900)
def test_cicd_pipeline(production: Production) -> None:
    """The deploy job of deploy.yml, to the letter, against the machine."""
    production.live()
    sha = story.change_the_ingester(production, "as the workflow deploys it")
    job = jobs()["deploy.yml:deploy"]
    print("\n".join(["", *substitutes(job)]))
    own = production.environment()
    given = {
        "vars": {name: own[name] for name in ("DEPLOY_HOST", "DEPLOY_KNOWN_HOSTS")},
        "secrets": {"DEPLOY_KEY": own["DEPLOY_KEY"]},
    }
    # Only the port is of this place: sshd listens on another than 22 here.
    surroundings = {"GITHUB_SHA": sha, "DEPLOY_PORT": own["DEPLOY_PORT"]}
    done = carry_out(job, production.releases.tree, given, surroundings)
    said = "\n".join(one.stdout for one in done)
    assert [one.returncode for one in done] == [0], said
    assert not any(line in said for line in own["DEPLOY_KEY"].splitlines()[1:-1])
    assert production.status(sha).returncode == 0


@pytest.mark.timeout(900)
def test_monitoring_production(production: Production) -> None:
    """Every target is up, deploys are seen, and somebody is told of what breaks."""
    sha = production.live()
    wait_for(lambda: story.targets_down(production) == [], 120, "every target is up")
    query = quote(f'archive_deploy_timestamp_seconds{{sha="{sha}"}}')
    wait_for(lambda: production.prometheus(f"query?query={query}")["result"], 60, "the deploy is seen")
    production.vm.run("docker stop bluesky-archive-jetstream-1")
    try:
        wait_for(lambda: story.told_of(production, "IngesterDown"), 180, "somebody is told")
    finally:
        production.vm.run("docker start bluesky-archive-jetstream-1")
