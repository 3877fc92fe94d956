"""``rediss://``: a CA of one's own, checked for the host's name, with the user in the URL."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framework.bus import Outcome, Posted
from framework.errors import BusUnavailable
from framework.redisbus import RedisBus

if TYPE_CHECKING:
    from tests.conftest import Server, Watcher

    Watch = Callable[..., Awaitable[Watcher]]

CA = (
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign",
    "subjectKeyIdentifier=hash",
)
LEAF = "subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n"


@dataclass(frozen=True)
class Tls:
    port: int
    ca: Path


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture
def tls(tmp_path: Path, private_server_of: Callable[..., Server]) -> Tls:
    """The Redis of the machine, listening with a certificate for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on PATH to make certificates with")
    ca, ca_key, key, request, certificate, extensions = (
        tmp_path / name for name in ("ca.pem", "ca.key", "key", "request", "cert.pem", "ext")
    )
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    added = [word for extension in CA for word in ("-addext", extension)]
    openssl("req", "-x509", *new, "-keyout", ca_key, "-out", ca, "-subj", "/CN=test", *added)
    openssl("req", *new, "-keyout", key, "-out", request, "-subj", "/CN=redis")
    extensions.write_text(LEAF)
    signed = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-extfile", extensions)
    openssl("x509", "-req", "-in", request, "-out", certificate, *signed)

    # The wheel's Valkey is built without TLS.
    server = private_server_of("redis")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    files = {"tls-cert-file": certificate, "tls-key-file": key, "tls-ca-cert-file": ca}
    settings = {"tls-auth-clients": "no", "tls-port": str(port)}
    settings |= {name: str(path) for name, path in files.items()}
    server.command("CONFIG", "SET", *(word for setting in settings.items() for word in setting))
    server.command("ACL", "SETUSER", "tide", "on", ">word", "allkeys", "allchannels", "+@all")
    return Tls(port, ca)


async def test_with_its_ca(tls: Tls) -> None:
    bus = RedisBus(f"rediss://tide:word@127.0.0.1:{tls.port}/0?ssl_ca_certs={tls.ca}")
    assert (await bus.publish("tide", Posted(0, b"{}"))).outcome is Outcome.ARRIVED
    await bus.close()


@pytest.mark.parametrize(
    ("host", "options", "expected"),
    [
        ("127.0.0.1", "", "its certificate is not trusted for that host; name its CA"),
        ("localhost", "?ssl_ca_certs={ca}", "its certificate is not trusted for that host"),
        ("127.0.0.1", "?ssl_ca_certs=/nowhere/ca.pem", "a file that redis_url names is not there"),
    ],
)
async def test_not_without(tls: Tls, host: str, options: str, expected: str) -> None:
    bus = RedisBus(f"rediss://tide:word@{host}:{tls.port}/0" + options.format(ca=tls.ca))
    with pytest.raises(BusUnavailable, match=expected):
        await bus.publish("tide", Posted(0, b"{}"))
    await bus.close()


async def test_following_through_it(tls: Tls, watch: Watch) -> None:
    """Cancelled and closed without a warning: TLS has more to close than TCP."""
    bus = RedisBus(f"rediss://tide:word@127.0.0.1:{tls.port}/0?ssl_ca_certs={tls.ca}")
    watcher = await watch(bus, "tide")
    await bus.publish("tide", Posted(1, b'{"updated": "1970-01-01T00:00:00.000001Z"}'))
    await watcher.until(lambda: bool(watcher.delivered))
    assert watcher.connected == [True]
    assert len(watcher.delivered) == 1
