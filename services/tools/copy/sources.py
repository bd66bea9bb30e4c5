"""Where a copy is pulled from: a folder, or an address that serves the archive's files and knows ranges."""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from services.shared.errors import BadInput, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30
_BLOCK = 1 << 20


class Folder:
    """An archive, mounted."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        """Name it for people."""
        return str(self.root)

    def read(self, path: str) -> bytes | None:
        """Return a small file, or None where there is none. Raises Transient."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Transient(f"cannot read {self.root / path}: {error}") from error

    def blocks(self, path: str, start: int) -> Iterator[bytes]:
        """Yield a file's bytes from `start` on. Raises Transient; FileNotFoundError where it is gone."""
        try:
            with (self.root / path).open("rb") as file:
                file.seek(start)
                while block := file.read(_BLOCK):
                    yield block
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Transient(f"cannot read {self.root / path}: {error}") from error


class Web:
    """An archive behind a web server; name and password may stand in the address."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
        self._headers = {"User-Agent": "bluesky-archive"}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"

    def __str__(self) -> str:
        """Name it for people, without the password."""
        return self._address

    def read(self, path: str) -> bytes | None:
        """Return a small file, or None where there is none. Raises Transient, or BadInput when refused."""
        try:
            return b"".join(self.blocks(path, 0))
        except FileNotFoundError:
            return None

    def blocks(self, path: str, start: int) -> Iterator[bytes]:
        """Yield a file's bytes from `start` on; errors as those of a folder, and BadInput when refused."""
        request = urllib.request.Request(f"{self._address}/{quote(path)}", headers=self._headers)  # noqa: S310 - the command takes http and https only
        if start:
            request.add_header("Range", f"bytes={start}-")
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
                if start and answer.status != HTTPStatus.PARTIAL_CONTENT:
                    raise BadInput(f"{self} does not know ranges; it cannot be pulled from")
                while block := answer.read(_BLOCK):
                    yield block
        except urllib.error.HTTPError as error:
            with error:
                raise _translated(error, f"{self}/{path}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"cannot read {self}/{path}: {error}") from error


class Source(Protocol):
    """What can be copied from; `str` names it for people."""

    def read(self, path: str) -> bytes | None:
        """Return a small file, or None where there is none. Raises Transient, or BadInput when refused."""

    def blocks(self, path: str, start: int) -> Iterator[bytes]:
        """Yield a file's bytes from `start` on. Raises Transient; FileNotFoundError where it is gone."""


def source_of(text: str) -> Folder | Web:
    """Return the source that somebody named. Raises BadInput for what is none."""
    if text.startswith(("http://", "https://")):
        return Web(text)
    folder = Path(text)
    if not folder.is_dir():
        raise BadInput(f"{text} is neither a folder nor an address that begins with http:// or https://")
    return Folder(folder.resolve())


def _translated(error: urllib.error.HTTPError, where: str) -> Exception:
    if error.code == HTTPStatus.NOT_FOUND:
        return FileNotFoundError(where)
    if error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code != HTTPStatus.TOO_MANY_REQUESTS:
        return BadInput(f"{where}: {error.code} {error.reason}; is the address right, and the password?")
    return Transient(f"{where}: {error.code} {error.reason}")
