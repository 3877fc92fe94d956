"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import typer

from framework.project import LONGEST_SIDE

LogLevel = Literal["debug", "info", "warning", "error"]

LogLevelOption = Annotated[
    LogLevel, typer.Option("--log-level", help="How much to say on standard error.")
]
PortOption = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port of the web page. Default: 8080 or the next free."),
]
HostOption = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Where the web page listens. Other than loopback, such as 0.0.0.0, it is for whoever "
        "has the token in the address that is printed; it travels unencrypted.",
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="WxH",
        help="Size of the panel in pixels. Default: [panel] of matrix.toml or 128x64. LEDs that "
        "are connected say their own.",
    ),
]


def parse_size(text: str | None, default: tuple[int, int]) -> tuple[int, int]:
    """ "128x64" as (128, 64)."""
    if text is None:
        return default
    found = re.fullmatch(r"(\d{1,3})[xX](\d{1,3})", text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(1 <= side <= LONGEST_SIDE for side in size):
        raise typer.BadParameter(
            f"give width and height, 1 to {LONGEST_SIDE} each, like 128x64", param_hint="--size"
        )
    return size
