"""Settings of a machine from a TOML file; the token only from the environment."""

from __future__ import annotations

import re
import tomllib
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from deployment.provision.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-nistp256|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/=]{40,}( .*)?")
HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def _public_key(text: str) -> str:
    if not KEY.fullmatch(text.strip()):
        raise ValueError("is not a public ed25519 or ECDSA key; give the line of a .pub file")
    # The comment behind the key differs between machines.
    return " ".join(text.split()[:2])


def _host(text: str) -> str:
    if not HOST.fullmatch(text):
        raise ValueError("is not a host name in lower case")
    return text


def _network(text: str) -> str:
    return str(ip_network(text))


PublicKey = Annotated[str, AfterValidator(_public_key)]
HostName = Annotated[str, AfterValidator(_host)]
Network = Annotated[str, AfterValidator(_network)]


class Settings(BaseModel):
    """The machine of one archive: every name in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: HostName = Field(default="archive", description="Prefix of the names of the objects at Hetzner.")
    site: HostName = Field(description="Host name of the site, say archive.example.org.")
    zone: HostName | None = Field(
        default=None, description="DNS zone at Hetzner that holds it; if absent, create A and AAAA yourself."
    )
    image_prefix: str = Field(description="Registry and path of the images, say ghcr.io/you/bluesky-archive.")
    admin_key: PublicKey = Field(description="Public SSH key of the administrator.")
    deploy_key: PublicKey = Field(
        description="Public SSH key of the workflow, which may only run the deploy agent."
    )
    ssh_from: tuple[Network, ...] = Field(
        min_length=1,
        description="Networks that may reach port 22; GitHub's runners have addresses everywhere.",
    )
    location: str = Field(default="nbg1", description="Hetzner's location.")
    server_type: str = Field(default="cx33", description="2 cores, 4 GB and 80 GB at least; amd64 or arm64.")
    image: str = Field(default="debian-13", description="Image of the machine.")
    volume_gb: int = Field(
        default=200, ge=10, le=10240, description="Size of the archive's Volume; it can only grow."
    )


class Token(BaseSettings):
    """HCLOUD_TOKEN, the token of the project, and HCLOUD_ENDPOINT, the address of the API."""

    hcloud_token: SecretStr = SecretStr("")
    hcloud_endpoint: str = "https://api.hetzner.cloud/v1"


def read(path: Path) -> Settings:
    """Read the file; raises Refused, naming each value that cannot be used."""
    try:
        settings = Settings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise Refused(f"{error}; copy deployment/hetzner/example.toml there and fill it in") from error
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Refused(f"{path} cannot be used: {lines}") from error
    if settings.zone is not None and not f".{settings.site}".endswith(f".{settings.zone}"):
        raise Refused(
            f"{path}: {settings.site} does not lie in the zone {settings.zone}; correct one of them"
        )
    return settings
