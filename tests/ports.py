"""Ports for servers that have to be told one: it is theirs, and stays so while they are away."""

from __future__ import annotations

import socket
import sys

_held: list[socket.socket] = []


def own_port() -> int:
    """A port on loopback that nobody else is given for as long as this process lives.

    On Linux, whoever asks for SO_REUSEADDR, as servers do, may bind it beside us as long as we do
    not listen. Elsewhere nobody may: there it is free, and no more.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port: int = held.getsockname()[1]
    if sys.platform == "linux":
        _held.append(held)
    else:
        held.close()
    return port
