"""This machine and nobody else: where to listen, and which requests to let in without a token.

Listening on loopback keeps other machines out, not other web sites: a browser here would let any
page that it has open connect (WebSockets know no same-origin rule), and a name that its owner
points at 127.0.0.1 would make even reading possible. So the Host must be a name of this machine,
and an Origin, which browsers never leave out where it matters, must be that very host. The port is
free: a tunnel (``ssh -L``) may end at another one.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from framework.errors import ConfigError
from framework.hosts import is_loopback

USUAL_PORT = 8080
OTHER_PORTS = 20
"""How many after the usual one are tried."""
_ELSEWHERE: Mapping[int, str] = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that nobody has (RFC 5737, RFC 3849), and the way to which is that to all others."""


def admitted(host: str, origin: str | None) -> bool:
    """Whether a request with these headers comes from a page of ours, or from no page at all."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name) and is_ours(host, origin)


def is_ours(host: str, origin: str | None, *, schemes: Sequence[str] = ("http",)) -> bool:
    """Whether it is not a page of another site that asks."""
    return origin is None or origin.lower() in [f"{each}://{host.lower()}" for each in schemes]


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket on ``port``; None: the usual one, or the next that is free.

    :raises ConfigError: there is no port to be had.
    """
    ports = (
        range(USUAL_PORT, USUAL_PORT + OTHER_PORTS + 1) if port is None else range(port, port + 1)
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for one in ports:
        try:
            listening = socket.create_server((host, one), family=family)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and one != ports[-1]:
                continue
            raise ConfigError(_refusal(host, ports, error.errno or 0)) from error
        # Inherited by each connection: asyncio does not set it on sockets that others made, and a
        # frame that follows a status then waits 40 ms for the acknowledgement of the status.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    raise AssertionError("the last port returns or raises")


def _refusal(host: str, ports: range, number: int) -> str:
    """``number``: that of the error, which is negative if ``host`` is a name that leads nowhere."""
    if number == errno.EADDRINUSE and len(ports) > 1:
        return f"ports {ports[0]} to {ports[-1]} on {host} are all taken: name one that is free"
    if number == errno.EADDRINUSE:
        return (
            f"port {ports[0]} on {host} is taken: choose another, or leave it out to have a free "
            "one found"
        )
    if number == errno.EACCES:
        return f"port {ports[0]} on {host} is not for this user: choose one from 1024 on"
    if number < 0 or number in (errno.EADDRNOTAVAIL, errno.EINVAL):
        return (
            f"{host} is no address of this machine: name one that is, without a port, such as "
            "127.0.0.1, or 0.0.0.0 for all of them"
        )
    return f"nothing can listen on {host}: {os.strerror(number)}. Name another address"


def urls(listening: socket.socket) -> list[str]:
    """Where a browser finds it. What listens on every address is found by the machine's name, if
    the browser's machine knows that, and by the address that it has in its network."""
    address, port = listening.getsockname()[:2]
    hosts = [address]
    if ip_address(address).is_unspecified:
        hosts = [socket.gethostname(), *_own_address(listening.family)]
    named = [f"[{host}]" if ":" in host else host for host in hosts]
    return [f"http://{host}:{port}/" for host in named]


def _own_address(family: int) -> list[str]:
    """The one that others see; none, if there is no way to them."""
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((_ELSEWHERE[family], 9))  # it sends nothing, only the way is chosen
        return [probe.getsockname()[0]]
    return []
