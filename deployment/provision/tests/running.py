"""A settings file, and provision run on it against a fake project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployment.provision.__main__ import main
from testing.fakes.hetzner.server import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from testing.fakes.hetzner import FakeHetzner

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000"
SETTINGS = {
    "site": '"archive.example.org"',
    "zone": '"example.org"',
    "image_prefix": '"registry.test/me"',
    "admin_key": f'"{KEY} you@laptop"',
    "deploy_key": f'"{KEY} deploy"',
    "ssh_from": '["198.51.100.0/24", "2001:db8::/32"]',
}


def write(folder: Path, **changed: str) -> Path:
    """Write the settings, with values changed or, when empty, omitted."""
    lines = {**SETTINGS, **changed}
    path = folder / "archive.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in lines.items() if value), "utf-8")
    return path


class Console:
    """Runs provision and returns its output."""

    def __init__(
        self, api: FakeHetzner, folder: Path, output: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self._api, self._folder, self._output, self._patch = api, folder, output, patch

    def run(self, *words: str, token: str = TOKEN, **changed: str) -> tuple[int, str]:
        """Run a command; returns exit code and output."""
        self._patch.setenv("HCLOUD_TOKEN", token)
        self._patch.setenv("HCLOUD_ENDPOINT", self._api.endpoint)
        path = write(self._folder, **changed)
        self._output.readouterr()
        code = main([*words, "--settings", str(path)])
        return code, self._output.readouterr().out
