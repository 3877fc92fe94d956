"""What goes over the socket between a renderer and the panel process.

The panel begins with a head that says how large it is. Then the renderer sends messages, each a
head and, for a frame, its RGB bytes row by row; a head of the size 0x0 is a sign of life, and
carries the brightness. The panel answers each message with one byte when it has taken it, and the
renderer sends nothing before that: however slow the panel is, no more than one message is under
way, and the next one is then the newest there is.
"""

from __future__ import annotations

import os
import struct
from asyncio import StreamReader
from pathlib import Path
from typing import NamedTuple

from framework.brightness import FULL
from framework.errors import ConfigError
from framework.project import LONGEST_SIDE, Project

VERSION = 1
TAKEN = b"\x06"
SIGN_OF_LIFE_S = 1.0
"""How often a renderer that has nothing to show says that it lives."""

LONGEST_PATH = 103
"""What every system takes as the name of a socket."""

_HEAD = struct.Struct("!3sBBHH")
_MAGIC = b"LED"


def socket_path(project: Project) -> Path:
    """Where the panel process of this folder listens.

    :raises ConfigError: the system has no names that long.
    """
    path = project.state.parent / (project.panel.socket or project.state / "panel.sock")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ConfigError(
            f"the panel cannot take frames at {path}: that is longer than the {LONGEST_PATH} bytes "
            "that the name of a socket may have. Name a shorter one in [panel] socket of "
            "matrix.toml"
        )
    return path


class NotUnderstood(Exception):
    """Whoever is at the other end speaks something else."""


class Head(NamedTuple):
    """What precedes the bytes of a frame."""

    width: int
    height: int
    brightness: int = FULL
    """In percent; 0 is dark."""

    @property
    def length(self) -> int:
        """How many bytes follow."""
        return 3 * self.width * self.height

    def to_wire(self) -> bytes:
        return _HEAD.pack(_MAGIC, VERSION, self.brightness, self.width, self.height)


async def read_head(reader: StreamReader) -> Head:
    """
    :raises NotUnderstood: it is none, or one of another version.
    :raises IncompleteReadError: the other end has gone.
    """
    magic, version, brightness, width, height = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    if magic != _MAGIC:
        raise NotUnderstood("it does not speak the language of panels")
    if version != VERSION:
        raise NotUnderstood(
            f"it speaks version {version} of the language of panels, this end {VERSION}: install "
            "the same matrix-framework for both"
        )
    if not _is_size(width, height) or brightness > FULL:
        raise NotUnderstood(f"it says {width}x{height} at {brightness} %, which cannot be")
    return Head(width, height, brightness)


def _is_size(width: int, height: int) -> bool:
    return width == height == 0 or (1 <= width <= LONGEST_SIDE and 1 <= height <= LONGEST_SIDE)
