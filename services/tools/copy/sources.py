"""Sources of a copy: a mounted folder, or a web server that serves an archive's files and supports ranges."""

from __future__ import annotations

import base64
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from services.shared.errors import BadInput, Transient
from services.shared.http import HttpError, download

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30
_BLOCK = 1 << 20


class Source(Protocol):
    """An archive that files are copied from; `str` gives its name for messages."""

    def read(self, path: str) -> bytes | None:
        """Return a small file, or None where there is none. Raises Transient, or BadInput when refused."""

    def blocks(self, path: str, start: int) -> Iterator[bytes]:
        """Yield a file's bytes from offset `start`.

        Raises Transient; FileNotFoundError for a missing file.
        """


class Folder:
    """An archive in a local or mounted folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        """Return the path."""
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
        """Yield a file's bytes from offset `start`.

        Raises Transient; FileNotFoundError for a missing file.
        """
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
    """An archive behind a web server; the URL may contain name and password."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
        self._authorization = ""
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._authorization = f"Basic {base64.b64encode(login.encode()).decode()}"

    def __str__(self) -> str:
        """Return the URL without the password."""
        return self._address

    def read(self, path: str) -> bytes | None:
        """Return a small file, or None where there is none. Raises Transient, or BadInput when refused."""
        try:
            return b"".join(self.blocks(path, 0))
        except FileNotFoundError:
            return None

    def blocks(self, path: str, start: int) -> Iterator[bytes]:
        """Yield a file's bytes from offset `start`. Raises as a folder does, and BadInput when refused."""
        try:
            with download(
                f"{self._address}/{quote(path)}",
                authorization=self._authorization,
                byte_range=f"bytes={start}-" if start else "",
                seconds=_SECONDS,
            ) as response:
                if start and response.status != HTTPStatus.PARTIAL_CONTENT:
                    raise BadInput(f"{self} does not support ranges; it cannot be pulled from")
                while block := response.read(_BLOCK):
                    yield block
        except HttpError as error:
            raise _translated(error, f"{self}/{path}") from error


def source_of(text: str) -> Folder | Web:
    """Return the source at a path or URL. Raises BadInput where there is none."""
    if text.startswith(("http://", "https://")):
        return Web(text)
    folder = Path(text)
    if not folder.is_dir():
        raise BadInput(f"{text} is neither a folder nor a URL that begins with http:// or https://")
    return Folder(folder.resolve())


def _translated(error: HttpError, where: str) -> Exception:
    if error.status == HTTPStatus.NOT_FOUND:
        return FileNotFoundError(where)
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR and error.status != HTTPStatus.TOO_MANY_REQUESTS:
        return BadInput(f"{error}; check the address and the password")
    return Transient(str(error))
