"""The Compose files as Compose resolves them; no container is started."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from deployment.provision.cloud_init import sizes
from testing.environment.images.derived import label_of
from testing.environment.images.recipes import OLDER, RECIPES, UNAVAILABLE, minor, references
from testing.harness.daemons import REPOSITORY
from testing.harness.stack import BASE, PORTS, PRODUCTION, Stack

if TYPE_CHECKING:
    from pathlib import Path

FILES = ((BASE,), (BASE, PRODUCTION))
PROFILES: tuple[tuple[str, ...], ...] = ((), ("demo",))
OURS = "registry.test/me"
DIGEST = f"sha256:{'0' * 64}"
PUBLIC = {"caddy"}
PRODUCTIONS = ("caddy", "blackbox_exporter")
ON_CALL = ("tools",)
"""Started by people only."""
SHARES = {"compactor": "data_writer"}
"""Whose image it runs."""
READS_THE_HOST = {"node_exporter"}
REACHES_OUT = {"jetstream", "alertmanager", "caddy"}
TEXTFILES = "--collector.textfile.directory=/host/var/lib/archive/textfile"
LARGEST_STOP = {"data_writer": 60, "redis": 60, "jetstream": 30}
SERVICES = (
    "redis",
    "jetstream",
    "data_writer",
    "compactor",
    "redis_exporter",
    "node_exporter",
    "prometheus",
    "alertmanager",
    "grafana",
    "health",
)


SMALLEST = sizes(4096)
NEEDED = {
    "SITE_ADDRESS": "archive.test",
    **{f"IMAGE_{name.upper()}": f"{OURS}/{name}@{DIGEST}" for name in (*SERVICES, *PRODUCTIONS, *ON_CALL)},
}


def _read(folder: Path, files: tuple[str, ...], profiles: tuple[str, ...]) -> dict[str, Any]:
    stack = Stack("bluesky-archive-test-files", folder, dict(NEEDED), files, profiles)
    read: dict[str, Any] = json.loads(stack.compose("config", "--format", "json"))
    return read


@pytest.fixture(params=[(files, profiles) for files in FILES for profiles in PROFILES], ids=str)
def config(request: pytest.FixtureRequest, engine: None, tmp_path: Path) -> dict[str, Any]:  # noqa: ARG001
    return _read(tmp_path, *request.param)


def test_every_combination_is_valid(config: dict[str, Any]) -> None:
    assert set(SERVICES) <= set(config["services"])


def test_the_demo_adds_its_host_and_production_never_does(engine: None, tmp_path: Path) -> None:  # noqa: ARG001
    hosts = {
        (files, profiles): "fake_jetstream" in _read(tmp_path, files, profiles)["services"]
        for files in FILES
        for profiles in PROFILES
    }
    assert [key for key, there in hosts.items() if there] == [((BASE,), ("demo",))]


def test_every_service_is_hardened(config: dict[str, Any]) -> None:
    for name, service in config["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0, name
        assert service["logging"]["options"]["max-size"], name
        assert int(service["mem_limit"]) == int(service["memswap_limit"]), name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert "start_interval" not in service["healthcheck"], name
        assert not service.get("privileged"), name
        assert "docker.sock" not in json.dumps(service.get("volumes", [])), name
        assert "PASSWORD" not in " ".join(
            key for key in service.get("environment") or {} if "FILE" not in key
        )
        user = service.get("user", "10001:10001")
        assert user.split(":")[0] != "0", name


def test_only_caddy_is_public(config: dict[str, Any]) -> None:
    for name, service in config["services"].items():
        for port in service.get("ports", []):
            assert name in PUBLIC or port.get("host_ip") == "127.0.0.1", f"{name} publishes {port}"
    production = "caddy" in config["services"]
    published = {name for name, service in config["services"].items() if service.get("ports")}
    assert published == PUBLIC if production else "redis" in published


def test_only_the_necessary_services_reach_the_internet(config: dict[str, Any]) -> None:
    leaving = {name for name, service in config["services"].items() if "egress" in service["networks"]}
    assert leaving == REACHES_OUT & set(config["services"])
    inside = config["networks"]["inside"]["driver_opts"]
    assert inside["com.docker.network.bridge.enable_ip_masquerade"] == "false"


def test_production_names_every_image_by_digest(engine: None, tmp_path: Path) -> None:  # noqa: ARG001
    services = _read(tmp_path, (BASE, PRODUCTION), ())["services"]
    assert {name: service["image"] for name, service in services.items()} == {
        name: f"{OURS}/{SHARES.get(name, name)}@{DIGEST}" for name in (*SERVICES, *PRODUCTIONS)
    }
    assert [name for name, service in services.items() if "build" in service] == []


def test_production_requires_every_variable_of_the_host(engine: None, tmp_path: Path) -> None:  # noqa: ARG001
    base, production = (_read(tmp_path, files, ())["services"]["node_exporter"]["command"] for files in FILES)
    assert production == [*base, TEXTFILES]


def test_the_important_limits_can_be_set_for_the_machine(engine: None, tmp_path: Path) -> None:  # noqa: ARG001
    """On the smallest machine, with 4 GB, the limits leave 15 % free."""
    stack = Stack("bluesky-archive-test-files", tmp_path, {**NEEDED, **SMALLEST}, (BASE, PRODUCTION))
    services = json.loads(stack.compose("config", "--format", "json"))["services"]
    assert sum(int(service["mem_limit"]) for service in services.values()) <= 0.85 * 4 * 2**30


def test_redis_listens_on_its_port(engine: None, tmp_path: Path) -> None:  # noqa: ARG001
    stack = Stack("bluesky-archive-test-files", tmp_path)
    for name in PORTS:
        del stack.settings[name]
    read = json.loads(stack.compose("config", "--format", "json"))
    port = read["services"]["redis"]["ports"][0]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "6379", 6379)


def test_the_stop_timeout_is_long_enough(config: dict[str, Any]) -> None:
    for name, seconds in LARGEST_STOP.items():
        grace = config["services"][name]["stop_grace_period"]
        assert re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", grace), grace
        minutes, rest = (int(part or 0) for part in re.findall(r"(?:(\d+)m)?(?:(\d+)s)?", grace)[0])
        assert minutes * 60 + rest >= seconds


def test_the_buffer_and_the_archive_are_different_volumes(config: dict[str, Any]) -> None:
    sources = {
        (name, mount["target"]): (mount["source"], mount.get("read_only", False))
        for name, service in config["services"].items()
        for mount in service.get("volumes", [])
    }
    assert sources["redis", "/data"] == ("redis", False)
    assert sources["data_writer", "/archive"] == ("archive", False)
    assert sources["compactor", "/archive"] == ("archive", False)
    assert sources["jetstream", "/disks/redis"] == ("redis", True)
    assert sources["jetstream", "/disks/archive"] == ("archive", True)


@pytest.mark.parametrize("files", FILES, ids=str)
def test_tools_start_only_on_request(engine: None, tmp_path: Path, files: tuple[str, ...]) -> None:  # noqa: ARG001
    assert "tools" not in _read(tmp_path, files, ())["services"]
    tools = _read(tmp_path, files, ("tools",))["services"]["tools"]
    assert tools["restart"] == "no"
    assert not tools.get("ports")
    assert {"inside", "egress"} == set(tools["networks"])
    named = {secret["source"] for secret in tools["secrets"]}
    assert named == {"redis_tools", "object_store_keys", "segments_token"}
    assert tools["read_only"]
    assert tools["cap_drop"] == ["ALL"]


def test_no_image_has_the_tag_latest_and_every_one_has_a_stand_in(config: dict[str, Any]) -> None:
    known = {str(reference) for reference in references()}
    for service in config["services"].values():
        image = service["image"]
        assert ":" in image
        assert not image.endswith(":latest")
        assert image in known or image.startswith((f"{OURS}/", "bluesky-archive/"))
    for reference in references():
        assert reference.name in RECIPES or reference.name in UNAVAILABLE


def test_the_example_names_every_variable() -> None:
    example = set(re.findall(r"^#?(\w+)=", (REPOSITORY / ".env.example").read_text("utf-8"), re.MULTILINE))
    used: set[str] = set()
    for path in REPOSITORY.glob("docker-compose*.yml"):
        used |= set(re.findall(r"\$\{(\w+)", path.read_text("utf-8")))
    used |= {reference.variable for reference in references()}
    assert example == used


def test_the_example_has_the_defaults() -> None:
    example = dict(
        re.findall(r"^#(\w+)=(.+)$", (REPOSITORY / ".env.example").read_text("utf-8"), re.MULTILINE)
    )
    for path in REPOSITORY.glob("docker-compose*.yml"):
        for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", path.read_text("utf-8")):
            if default:
                assert example[name] == default
    for reference in references():
        assert example[reference.variable] == str(reference)


@pytest.mark.parametrize("reference", references(), ids=str)
def test_a_stand_in_is_as_new_as_its_tag(engine: None, reference: Any) -> None:  # noqa: ARG001
    version = label_of(str(reference), "standin.version")
    if version is None:
        pytest.skip(f"{reference} is no stand-in on this engine")
    assert minor(version) >= minor(reference.tag) or reference.name in OLDER, (
        f"{reference} is really {version}"
    )
