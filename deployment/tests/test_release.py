"""A release names every image by digest; commands of build and publish, and their failures.

That they work against a real registry is shown in test_hetzner_deployment.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployment.commands import ATTESTATIONS, PRODUCTION, ROOT, bake, join, push_release
from deployment.deploy_agent import release as host_release
from deployment.release import (
    BUNDLED,
    ServiceImage,
    Target,
    about,
    by_digest,
    images_env,
    images_of,
    main,
    parse,
    service_images,
    target_of,
)

TARGET = Target("ghcr.io/me/archive", "127.0.0.1:5001/me/archive", "a" * 40, 100, "x86_64")
NOWHERE = ["publish", "--prefix", "127.0.0.1:9/me/archive", "--sha", "HEAD"]


@pytest.mark.parametrize(
    ("tagged", "named"),
    [
        ("prom/prometheus:v3.5.3", "prom/prometheus@sha256:1"),
        ("registry.test:5000/me/redis:abc", "registry.test:5000/me/redis@sha256:1"),
        ("registry.test:5000/me/redis", "registry.test:5000/me/redis@sha256:1"),
        ("redis:8@sha256:0", "redis@sha256:1"),
    ],
)
def test_a_name_by_digest_has_no_tag(tagged: str, named: str) -> None:
    assert by_digest(tagged, "sha256:1") == named


def test_images_are_those_that_production_names_and_base_has() -> None:
    production: dict[str, Any] = {
        "redis": {"image": "${IMAGE_REDIS:?by digest}"},
        "grafana": {"image": "${IMAGE_GRAFANA:?}"},
        "fake": {"image": "none:none", "profiles": ["never"]},
        "cache": {"image": "${IMAGE_REDIS:?}"},
        "tools": {"image": "${IMAGE_TOOLS:?}", "profiles": ["tools"]},
    }
    built: dict[str, Any] = {
        "redis": {"image": "r/me/redis:abc", "build": {}},
        "grafana": {"image": "grafana/grafana:13"},
        "cache": {"image": "r/me/redis:abc"},
        "tools": {"image": "r/me/tools:abc", "build": {}},
    }
    assert service_images(production, built) == [
        ServiceImage("IMAGE_GRAFANA", "grafana", "grafana/grafana:13", is_ours=False),
        ServiceImage("IMAGE_REDIS", "redis", "r/me/redis:abc", is_ours=True),
        ServiceImage("IMAGE_TOOLS", "tools", "r/me/tools:abc", is_ours=True),
    ]


def test_a_service_that_production_names_by_tag_is_refused() -> None:
    services = {"redis": {"image": "redis:8"}}
    with pytest.raises(ValueError, match=r"the image of redis is redis:8; name it by digest"):
        service_images(services, services)


def test_every_service_of_production_is_named_by_digest(engine: None) -> None:  # noqa: ARG001 - for its check
    images = images_of(TARGET)
    assert {image.service for image in images if image.is_ours} >= {
        "redis",
        "jetstream",
        "data_writer",
        "caddy",
    }
    assert len({image.variable for image in images}) == len(images)
    assert all(image.source.startswith("ghcr.io/me/archive/") for image in images if image.is_ours)


def test_every_mounted_file_of_the_repository_is_bundled(engine: None) -> None:  # noqa: ARG001 - as above
    text = (ROOT / PRODUCTION).read_text("utf-8") + (ROOT / "docker-compose.yml").read_text("utf-8")
    mounted = {word.split("/")[1] for word in text.replace(",", " ").split() if word.startswith("./")}
    assert mounted
    assert mounted <= set(BUNDLED)


def test_only_the_registry_of_the_target_has_a_local_name() -> None:
    assert TARGET.local_name("ghcr.io/me/archive/redis:abc") == "127.0.0.1:5001/me/archive/redis:abc"
    assert TARGET.local_name("prom/prometheus:v3") == "prom/prometheus:v3"


def test_the_host_reads_the_files_that_the_build_writes(tmp_path: Path) -> None:
    digests = {"IMAGE_REDIS": "r/redis@sha256:1", "IMAGE_CADDY": "r/caddy@sha256:2"}
    (tmp_path / host_release.IMAGES).write_text(images_env(digests), "utf-8")
    (tmp_path / host_release.ABOUT).write_text(about("a" * 40, 7, 100), "utf-8")
    release = host_release.read(tmp_path)
    assert release is not None
    assert (release.sha, release.number, release.committed_at) == ("a" * 40, 7, 100)
    assert set(release.images) == set(digests.values())
    assert json.loads(about("a" * 40, 7, 100))["number"] == 7
    assert set(host_release.COMPOSE) == {name for name in BUNDLED if Path(name).suffix}


def test_a_commit_that_is_not_here_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    for verb in ("build", "publish"):
        assert main([verb, "--prefix", "r.test/me", "--sha", "0" * 40]) == 1
        assert "bad object" in capfd.readouterr().err


def test_images_that_were_not_pushed_are_refused(
    engine: None,  # noqa: ARG001 - for its check
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(NOWHERE) == 1
    assert "publish: docker buildx imagetools" in capfd.readouterr().err


def test_a_target_has_a_full_commit_id_and_no_capitals() -> None:
    words = ["build", "--prefix", "ghcr.io/You/Archive", "--sha", "HEAD", "--here", "127.0.0.1:5001"]
    target = target_of(parse(words))
    assert (target.prefix, target.local_prefix) == ("ghcr.io/you/archive", "127.0.0.1:5001/you/archive")
    assert len(target.sha) == 40
    assert target.part("aarch64") == f"{target.sha}-aarch64"


def test_attestations_are_pushed_only_on_request() -> None:
    assert not set(ATTESTATIONS) & set(bake(["redis"], attested=False))
    assert set(ATTESTATIONS) < set(bake(["redis"], attested=True))
    assert bake(["redis"], attested=True)[-1] == "redis"


def test_the_images_of_all_processors_become_one(tmp_path: Path) -> None:
    assert join("r/x:1", ["r/x:1-x86_64", "r/x:1-aarch64"])[-3:] == [
        "--tag=r/x:1",
        "r/x:1-x86_64",
        "r/x:1-aarch64",
    ]
    both = push_release("r/release:1", tmp_path, ["linux/amd64", "linux/arm64"])
    assert "--platform=linux/amd64,linux/arm64" in both
    assert not [word for word in push_release("r/release:1", tmp_path, ["linux/amd64"]) if "platform" in word]
