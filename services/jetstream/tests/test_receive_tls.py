"""The receiver with a websocket server: TLS, fragments, pings, and more frames than the inbox holds."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry
from websockets.asyncio.server import ServerConnection, serve

from services.jetstream.connection import ConnectionState, DisconnectReason
from services.jetstream.dedup import DedupWindow
from services.jetstream.inbox import Inbox, PushLimits
from services.jetstream.metrics import IngesterMetrics
from services.jetstream.receive import Receiver
from services.jetstream.resume import ResumeHint, ResumePlan
from services.jetstream.settings import IngesterSettings
from services.jetstream.tests.recording import RecordingValidator, empty
from services.shared.cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

T = 1_783_166_400_000_000
FRAMES = [b'{"number":%d}' % number for number in range(5000)]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return the paths of a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test host")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, secret


def received(
    handler: Callable[[ServerConnection], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
    *,
    push: int = 10**6,
    enough: int = 10**6,
) -> tuple[DisconnectReason, list[bytes]]:
    """Receive until the host closes or `enough` frames arrived; return the reason and the frames."""

    async def scenario() -> tuple[DisconnectReason, list[bytes]]:
        async with serve(handler, "127.0.0.1", 0, ssl=tls, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            host = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"
            recorder = RecordingValidator()
            inbox = Inbox(PushLimits(push, 1 << 30), DedupWindow(60, 1 << 30), recorder)
            settings = IngesterSettings(ingest_hosts=(host,))
            receiver = Receiver(settings, inbox, IngesterMetrics(CollectorRegistry()))
            plan = ResumePlan(host, T, exact=False, hint=ResumeHint(), cursor=Cursor(T, 1, 0))
            connection = ConnectionState(plan, time.monotonic())
            receiving = asyncio.create_task(receiver.receive(connection))
            while not receiving.done() or inbox:
                await inbox.filled(0.1)
                empty(inbox)
                if len(recorder.frames) >= enough:
                    connection.end(DisconnectReason.PAUSED)
            return await receiving, recorder.frames

    return asyncio.run(asyncio.wait_for(scenario(), 60))


async def send_all(socket: ServerConnection) -> None:
    """Send every frame."""
    for frame in FRAMES:
        await socket.send(frame.decode())


async def send_all_and_wait(socket: ServerConnection) -> None:
    """Send every frame, then wait for the client to close."""
    await send_all(socket)
    await socket.wait_closed()


@pytest.mark.parametrize("is_trusted", [True, False])
def test_tls_hosts_are_read_and_their_certificates_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_trusted: bool
) -> None:
    chain, secret = certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, secret)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    reason, found = received(send_all_and_wait, tls, push=25, enough=len(FRAMES))
    assert (reason, found) == (
        (DisconnectReason.PAUSED, FRAMES) if is_trusted else (DisconnectReason.UNREACHABLE, [])
    )


def test_frames_beyond_the_inbox_stay_in_the_socket() -> None:
    assert received(send_all, push=25) == (DisconnectReason.CLOSED, FRAMES)


def test_a_fragmented_message_is_one_frame_and_pings_in_between_are_answered() -> None:
    async def fragmented(socket: ServerConnection) -> None:
        async def pieces(frame: bytes) -> None:
            async def cut() -> AsyncIterator[str]:
                for at in range(0, len(frame), 4):
                    yield frame[at : at + 4].decode()

            await socket.send(cut())

        for frame in FRAMES[:50]:
            await pieces(frame)
            await asyncio.wait_for(await socket.ping(), 10)

    assert received(fragmented) == (DisconnectReason.CLOSED, FRAMES[:50])
