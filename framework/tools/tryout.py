"""``matrix panel --test``: three questions about what is seen on the LEDs, and the answers kept."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Container, Mapping
from contextlib import nullcontext
from itertools import permutations
from pathlib import Path
from typing import Any, BinaryIO

import tomlkit
import typer
from PIL import Image

from framework import durable
from framework.errors import ConfigError
from framework.panel.driver import privileges, tryout
from framework.panel.driver.leds import Leds, driver_of
from framework.panel.driver.light import seen_size, turned
from framework.panel.driver.opening import bind
from framework.panel.driver.wire import socket_path
from framework.project import PanelEntry, Project

BRIGHTNESS = 40
WALK_S = 3.0
"""How long the column takes from one side to the other."""


def try_out(project: Project) -> None:
    """
    :raises ConfigError: the LEDs cannot be lit as ``[panel]`` says, or the answers not be kept.
    :raises PanelUnavailable: the LEDs cannot be opened, or another process has them.
    """
    panel, path = project.panel, project.path
    open_leds = driver_of(panel)
    if path is None:
        raise AssertionError("without a file there is no driver")
    user = privileges.account(panel.user) if os.geteuid() == 0 else None
    at = socket_path(project)
    # Under systemd that folder is there only while a panel process is, whose place this would take.
    with bind(at) if at.parent.exists() else nullcontext(), _opened(path) as file:
        leds = open_leds(panel)
        corners = tryout.corners(seen_size(leds.size, panel.rotate))  # with a font, which is a file
        if user is not None:
            privileges.drop_to(user)
        changes = _colours(leds, panel) | _corners(leds, panel, corners) | _flicker(leds, panel)
        if changes:
            keep(file, changes)
    if not changes:
        typer.echo("All is as it should be.")
        return
    for name, value in changes.items():
        typer.echo(f"[panel] {name} {'taken out' if value is None else f'= {value!r}'}")
    typer.echo(f"Written to {path}. Run matrix panel --test again to see whether that was it.")


def _opened(path: Path) -> BinaryIO:
    """To be written in place: who has dropped root may not put another file there.

    :raises ConfigError: it cannot be written.
    """
    try:
        return path.open("r+b")
    except OSError as error:
        problem = durable.in_words(error)
    raise ConfigError(f"{path} cannot be written: {problem}")


def _colours(leds: Leds, panel: PanelEntry) -> dict[str, Any]:
    typer.echo("Three colours are shown, one after the other.")
    while True:
        seen = ""
        for colour in tryout.COLOURS.values():
            leds.show(Image.new("RGB", leds.size, colour), BRIGHTNESS)
            seen += _answer("Which one is it now?", "r, g or b", ("r", "g", "b")).upper()
        changes = tryout.sequence(panel, seen)
        if changes is not None:
            return changes
        typer.echo("Each colour should be seen once. Once more:")


def _corners(leds: Leds, panel: PanelEntry, picture: Image.Image) -> dict[str, Any]:
    leds.show(turned(picture, panel.rotate), BRIGHTNESS)
    typer.echo("There is a number in each corner of a frame.")
    seen = _answer(
        "Which, clockwise from the top left?",
        "all four, so 1234 if right; 0 if it is no such picture",
        {"0", *("".join(one) for one in permutations(tryout.CORNERS))},
    )
    changes = tryout.turn(panel, seen)
    if changes is None and panel.driver == "rgbmatrix":
        changes = tryout.mirror(panel, seen)
    if changes is not None:
        return changes
    if panel.driver != "rgbmatrix" or panel.chain_length == 1:
        typer.echo("Look at rows, cols, chain_length and parallel in [panel], then try again.")
        return {}
    typer.echo("How do the panels of a chain hang?")
    typer.echo("  1  in one row (then look at rows, cols, chain_length and parallel in [panel])")
    typer.echo("  2  in two rows, the second one back again and upside down")
    typer.echo("  3  one above the other, each on its side")
    return tryout.layout(panel, _answer("Which?", "1, 2 or 3", tryout.LAYOUTS))


def _flicker(leds: Leds, panel: PanelEntry) -> dict[str, Any]:
    width = leds.size[0]
    typer.echo("A column walks from one side to the other, above a ramp of grey.")
    for x in range(width):
        leds.show(tryout.column(leds.size, x), BRIGHTNESS)
        time.sleep(WALK_S / width)
    if not typer.confirm("Does it flicker, or are there stray dots?"):
        return {}
    changes = tryout.slowdown(panel) if panel.driver == "rgbmatrix" else None
    if changes is None:
        typer.echo("No option helps against that: look at the power supply and at the cables.")
    return changes or {}


def _answer(question: str, wanted: str, known: Container[str]) -> str:
    """Asked until it is one that is known; ``wanted``: those in words."""
    while True:
        answer: str = typer.prompt(f"{question} ({wanted})").strip().lower()
        if answer in known:
            return answer
        typer.echo(f"Not understood. Answer with {wanted}.")


def keep(file: BinaryIO, changes: Mapping[str, Any]) -> None:
    """Write them to ``[panel]`` of ``matrix.toml``, and leave all else in it as it is.

    :raises ConfigError: it cannot be written.
    """
    document = tomlkit.parse(file.read().decode())
    table = document.setdefault("panel", tomlkit.table())
    for name, value in changes.items():
        if value is None:
            table.pop(name, None)
        else:
            table[name] = value
    try:
        if os.fstat(file.fileno()).st_nlink == 0:
            raise OSError(errno.ESTALE, "Another file was put in its place meanwhile")
        file.seek(0)
        file.write(tomlkit.dumps(document).encode())
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        problem = durable.in_words(error)
    else:
        return
    lines = "\n".join(f"{name} = {value!r}" for name, value in changes.items() if value is not None)
    raise ConfigError(
        f"{file.name} cannot be written: {problem}. What belongs in [panel]:\n{lines}"
    )
