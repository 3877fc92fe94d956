"""``matrix panel --test``: three questions about what is seen on the LEDs, and the answers kept."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from framework import durable
from framework.errors import ConfigError
from framework.panel.driver import privileges, tryout
from framework.panel.driver.leds import Leds, open_leds
from framework.panel.driver.opening import listen
from framework.panel.driver.wire import socket_path
from framework.project import PanelEntry, Project

BRIGHTNESS = 40
WALK_S = 3.0
"""How long the column takes from one side to the other."""


def try_out(project: Project) -> None:
    """
    :raises ConfigError: the LEDs cannot be opened, or the answers not be kept.
    """
    panel, path = project.panel, project.path
    with listen(socket_path(project)):  # no other panel process has the LEDs
        leds = open_leds(panel)
        if path is None:
            raise AssertionError("without a file there is no driver")
        owner = path.stat().st_uid
        if os.geteuid() == 0 != owner:
            privileges.drop_to(pwd.getpwuid(owner))
        changes = _colours(leds, panel) | _corners(leds, panel) | _flicker(leds, panel)
    if not changes:
        typer.echo("All is as it should be.")
        return
    keep(path, changes)
    for name, value in changes.items():
        typer.echo(f"[panel] {name} {'taken out' if value is None else f'= {value!r}'}")
    typer.echo(f"Written to {path}. Run matrix panel --test again to see whether that was it.")


def _colours(leds: Leds, panel: PanelEntry) -> dict[str, Any]:
    from PIL import Image

    typer.echo("Three colours are shown, one after the other.")
    while True:
        seen = ""
        for colour in tryout.COLOURS.values():
            leds.show(Image.new("RGB", leds.size, colour), BRIGHTNESS)
            seen += _choice("Which one is it now? (r, g, b)", "rgb").upper()
        changes = tryout.sequence(panel, seen)
        if changes is not None:
            return changes
        typer.echo("Each colour should be seen once. Once more:")


def _corners(leds: Leds, panel: PanelEntry) -> dict[str, Any]:
    from framework.panel.driver.light import seen_size, turned

    picture = tryout.corners(seen_size(leds.size, panel.rotate))
    leds.show(turned(picture, panel.rotate), BRIGHTNESS)
    typer.echo("There is a number in each corner of a frame.")
    seen = typer.prompt(
        "Which, clockwise from the top left? (1234 if right; 0 if it is no such picture)"
    )
    changes = tryout.turn(panel, seen.strip())
    if changes is not None:
        return changes
    if panel.driver != "rgbmatrix" or panel.chain_length == 1:
        typer.echo("Look at rows, cols, chain_length and parallel in [panel], then try again.")
        return {}
    typer.echo("How do the panels of a chain hang?")
    typer.echo("  1  in one row (then look at rows, cols, chain_length and parallel in [panel])")
    typer.echo("  2  in two rows, the second one back again and upside down")
    typer.echo("  3  one above the other, each on its side")
    return tryout.layout(panel, _choice("(1, 2, 3)", "".join(tryout.LAYOUTS)))


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


def _choice(question: str, allowed: str) -> str:
    while True:
        answer: str = typer.prompt(question).strip().lower()
        if len(answer) == 1 and answer in allowed:
            return answer


def keep(path: Path, changes: Mapping[str, Any]) -> None:
    """Write them to ``[panel]`` of ``matrix.toml``, and leave all else in it as it is.

    :raises ConfigError: it cannot be written.
    """
    import tomlkit  # here: only this needs it

    try:
        with durable.locked(path) as found:
            document = tomlkit.parse(durable.read(found)[0].decode())
            table = document.setdefault("panel", tomlkit.table())
            for name, value in changes.items():
                if value is None:
                    table.pop(name, None)
                else:
                    table[name] = value
            durable.write(found, tomlkit.dumps(document).encode(), mode=0o644)
    except OSError as error:
        problem = durable.in_words(error)
    else:
        return
    lines = "\n".join(f"{name} = {value!r}" for name, value in changes.items() if value is not None)
    raise ConfigError(f"{path} cannot be written: {problem}. What belongs in [panel]:\n{lines}")
