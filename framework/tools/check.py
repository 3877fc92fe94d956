"""``matrix check``: ask a process how it is, without curl."""

from __future__ import annotations

import http.client
import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from framework.errors import ConfigError
from framework.process import EXIT_UNAVAILABLE
from framework.project import FILE, Project

PATIENCE_S = 5.0
OURS = "matrix"
"""What ``health`` calls itself; it is not imported, because a probe has no time for Prometheus."""
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what is listened on, not with
"""Where one reaches on this machine what listens on all addresses."""


def check(
    ready: Annotated[
        bool, typer.Option("--ready", help="Whether it has good values, beside being alive.")
    ] = False,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help=f"Default: [health] host of {FILE}, on this machine."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65535, help=f"Default: [health] port of {FILE}."),
    ] = None,
) -> None:
    """Ask a running service or page how it is: alive, or ready too.

    It must have been started with a port to be asked at:

    \b
        [health]
        port = 9100

    For a probe of Kubernetes, a HEALTHCHECK or systemd, where there is no curl. The same port has
    /live, /ready and /metrics, for whoever asks by HTTP.

    \b
    Exit status:
        0   it is alive (and ready)
        1   it is not: it says why
        75  nobody answers
        78  no port is known, or something else answers there
    """
    if host == "":
        raise typer.BadParameter("give a name or an address", param_hint="--host")
    health = Project.find(os.environ, Path.cwd()).health
    asked = port or health.port
    if asked is None:
        raise ConfigError(f"which port? Give --port, or [health] port in {FILE}")
    at = host or _ANY.get(health.host, health.host)
    try:
        problems = "".join(_asked(at, asked, path) for path in ("/live", *["/ready"] * ready))
    except (OSError, http.client.HTTPException, UnicodeError):  # the last: no name of a host
        typer.echo(f"nobody answers at port {asked} of {at}", err=True)
        raise typer.Exit(EXIT_UNAVAILABLE) from None
    typer.echo(problems.strip() or ("ready" if ready else "alive"))
    raise typer.Exit(1 if problems else 0)


def _asked(host: str, port: int, path: str) -> str:
    """What is wrong; empty: nothing.

    :raises ConfigError: whoever answers is none of ours.
    """
    with closing(http.client.HTTPConnection(host, port, timeout=PATIENCE_S)) as connection:
        connection.request("GET", path)
        reply = connection.getresponse()
        if (reply.getheader("Server") or "").strip() != OURS:
            raise ConfigError(
                f"what answers at port {port} of {host} is no service or page of matrix. Set "
                f"[health] port in {FILE} to one that nobody else has"
            )
        said = reply.read().decode(errors="replace")
    return "" if reply.status == http.HTTPStatus.OK else said
