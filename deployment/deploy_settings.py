"""What the workflow hands over: whom to deploy to, and with which key."""

from __future__ import annotations

import os

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "DEPLOY_"


class DeploySettings(BaseSettings):
    """Every DEPLOY_* name."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    deploy_host: str = Field(description="Name or address of the host.")
    deploy_port: int = Field(default=22, ge=1, le=65535, description="Port of its sshd.")
    deploy_user: str = Field(default="deploy", description="The user whose key calls the deploy agent.")
    deploy_key: SecretStr = Field(description="That private key, the whole file.")
    deploy_known_hosts: str = Field(
        description="Lines of known_hosts for the host, as provision printed them."
    )


class DeploySettingsError(Exception):
    """Settings that cannot be used; the message names each and the mend."""


def load() -> DeploySettings:
    """Parse the environment; raises DeploySettingsError, also for a DEPLOY_* name that nobody reads."""
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name.lower() not in DeploySettings.model_fields
    )
    if unknown:
        raise DeploySettingsError(f"{', '.join(unknown)}: no such setting")
    try:
        return DeploySettings()  # type: ignore[call-arg] # they come from the environment
    except ValidationError as error:
        names = ", ".join(str(one["loc"][0]).upper() for one in error.errors())
        raise DeploySettingsError(
            f"{names}: missing or unusable; set it in the repository's environment `production`"
        ) from error
