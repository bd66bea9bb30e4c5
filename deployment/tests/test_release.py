"""What a release names, and what it never leaves to a tag."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployment.commands import PRODUCTION, ROOT
from deployment.deploy_agent import release as on_the_host
from deployment.release import BUNDLED, Wanted, about, by_digest, images_env, wanted
from deployment.running import Place
from deployment.services import images_of

PLACE = Place("ghcr.io/me/archive", "127.0.0.1:5001/me/archive", "a" * 40, 100, "x86_64")


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


def test_images_are_what_production_names_and_base_has() -> None:
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
    assert wanted(production, built) == [
        Wanted("IMAGE_GRAFANA", "grafana", "grafana/grafana:13", is_ours=False),
        Wanted("IMAGE_REDIS", "redis", "r/me/redis:abc", is_ours=True),
        Wanted("IMAGE_TOOLS", "tools", "r/me/tools:abc", is_ours=True),
    ]


def test_a_service_that_production_leaves_to_a_tag_is_refused_by_name() -> None:
    services = {"redis": {"image": "redis:8"}}
    with pytest.raises(ValueError, match=r"the image of redis is redis:8; name it by digest"):
        wanted(services, services)


def test_every_service_of_production_is_named_by_digest(engine: None) -> None:  # noqa: ARG001 - Compose is asked
    images = images_of(PLACE)
    assert {image.service for image in images if image.is_ours} >= {
        "redis",
        "jetstream",
        "data_writer",
        "caddy",
    }
    assert len({image.variable for image in images}) == len(images)
    assert all(image.source.startswith("ghcr.io/me/archive/") for image in images if image.is_ours)


def test_everything_that_containers_mount_from_here_is_bundled(engine: None) -> None:  # noqa: ARG001 - as above
    text = (ROOT / PRODUCTION).read_text("utf-8") + (ROOT / "docker-compose.yml").read_text("utf-8")
    mounted = {word.split("/")[1] for word in text.replace(",", " ").split() if word.startswith("./")}
    assert mounted
    assert mounted <= set(BUNDLED)


def test_this_machine_calls_a_registry_by_its_own_name_and_no_other() -> None:
    assert PLACE.reached("ghcr.io/me/archive/redis:abc") == "127.0.0.1:5001/me/archive/redis:abc"
    assert PLACE.reached("prom/prometheus:v3") == "prom/prometheus:v3"


def test_the_host_reads_what_the_build_wrote(tmp_path: Path) -> None:
    digests = {"IMAGE_REDIS": "r/redis@sha256:1", "IMAGE_CADDY": "r/caddy@sha256:2"}
    (tmp_path / on_the_host.IMAGES).write_text(images_env(digests), "utf-8")
    (tmp_path / on_the_host.ABOUT).write_text(about("a" * 40, 7, 100), "utf-8")
    release = on_the_host.read(tmp_path)
    assert release is not None
    assert (release.sha, release.number, release.committed_at) == ("a" * 40, 7, 100)
    assert set(release.images) == set(digests.values())
    assert json.loads(about("a" * 40, 7, 100))["number"] == 7
    assert set(on_the_host.COMPOSE) == {name for name in BUNDLED if Path(name).suffix}
