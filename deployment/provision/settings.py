"""What is wanted, from a TOML file; the token from the environment alone."""

from __future__ import annotations

import re
import tomllib
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from deployment.provision.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path

KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-nistp256|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/=]{40,}( .*)?")
HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def _public_key(text: str) -> str:
    if not KEY.fullmatch(text.strip()):
        raise ValueError("is no public ed25519 or ECDSA key; give the line of a .pub file")
    # What stands behind the key is for people, and differs between machines.
    return " ".join(text.split()[:2])


def _host(text: str) -> str:
    if not HOST.fullmatch(text):
        raise ValueError("is no host name in lower case")
    return text


def _network(text: str) -> str:
    return str(ip_network(text))


PublicKey = Annotated[str, AfterValidator(_public_key)]
HostName = Annotated[str, AfterValidator(_host)]
Network = Annotated[str, AfterValidator(_network)]


class Settings(BaseModel):
    """One archive's machine; every name in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: HostName = Field(default="archive", description="What the objects at Hetzner begin with.")
    site: HostName = Field(description="Host name of the site, say archive.example.org.")
    zone: HostName | None = Field(
        default=None, description="DNS zone at Hetzner that holds it; left out: you make A and AAAA yourself."
    )
    image_prefix: str = Field(description="Where the images are, say ghcr.io/you/bluesky-archive.")
    admin_key: PublicKey = Field(description="Public SSH key of the person who may do everything.")
    deploy_key: PublicKey = Field(
        description="Public SSH key of the workflow, which may only call the deploy agent."
    )
    ssh_from: tuple[Network, ...] = Field(
        min_length=1, description="Networks that may reach port 22; GitHub's runners come from everywhere."
    )
    location: str = Field(default="nbg1", description="Hetzner's location.")
    server_type: str = Field(default="cx33", description="2 cores, 4 GB and 80 GB at least; amd64 or arm64.")
    image: str = Field(default="debian-13", description="What the machine starts from.")
    volume_gb: int = Field(default=200, ge=10, le=10240, description="The archive's disk; it can only grow.")


class Token(BaseSettings):
    """The project's token, HCLOUD_TOKEN, and where the API is, HCLOUD_ENDPOINT."""

    hcloud_token: SecretStr = SecretStr("")
    hcloud_endpoint: str = "https://api.hetzner.cloud/v1"


def read(path: Path) -> Settings:
    """Read the file; raises Refused, naming each line that cannot be used."""
    try:
        settings = Settings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise Refused(f"{error}; copy deployment/hetzner/example.toml there and fill it in") from error
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{path} is no TOML: {error}") from error
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Refused(f"{path} cannot be used: {lines}") from error
    if settings.zone is not None and not f".{settings.site}".endswith(f".{settings.zone}"):
        raise Refused(f"{path}: {settings.site} does not lie in the zone {settings.zone}; mend one of them")
    return settings
