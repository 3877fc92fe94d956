"""Start the panel process: all that needs root in order, and then never again.

The socket, the account, the library, the fonts and the LEDs first, because whoever has dropped root
may open none of them.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from framework import durable
from framework.errors import ConfigError, PanelUnavailable
from framework.panel.driver import light, privileges
from framework.panel.driver.leds import driver_of
from framework.panel.driver.light import Light
from framework.panel.driver.receiver import Receiver
from framework.project import LONGEST_SIDE, STATE, PanelEntry

_TAKEN = (errno.EADDRINUSE, errno.EPROTOTYPE)


def open_panel(panel: PanelEntry, path: Path) -> Light:
    """Listen, open the LEDs, show that there is nothing to show, drop root.

    :raises ConfigError: one of these cannot be.
    :raises PanelUnavailable: one of these cannot be now.
    """
    open_leds = driver_of(panel)
    user = privileges.account(panel.user) if os.geteuid() == 0 else None
    listening = listen(path)
    leds = open_leds(panel)
    size = light.seen_size(leds.size, panel.rotate)
    if max(size) > LONGEST_SIDE:
        raise ConfigError(
            f"the panel is {size[0]}x{size[1]}, and pages draw for {LONGEST_SIDE} a side at most: "
            "make it smaller, in [panel] of matrix.toml"
        )
    lit = Light(leds, Receiver(listening, size), rotate=panel.rotate)
    lit.look()
    light.prepare(size)
    if user is not None:
        privileges.drop_to(user)
    return lit


def listen(path: Path) -> socket.socket:
    """A listening socket at ``path``, as ``bind`` makes it."""
    listening = bind(path)
    listening.listen()
    return listening


def bind(path: Path) -> socket.socket:
    """A socket at ``path``, which no other process gets meanwhile; one that a killed process left
    behind is replaced.

    Who may reach it is decided by its folder, because the permissions of a socket count on some
    systems only.

    :raises ConfigError: others may reach it, or it cannot be there.
    :raises PanelUnavailable: another process has it.
    """
    refused: type[ConfigError | PanelUnavailable] = ConfigError
    folder = path.parent
    try:
        mode = folder.stat().st_mode
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError
        if mode & 0o007:
            problem = f"{folder} is open to all users. " + (
                f"Close it: chmod o= {folder}"
                if folder.name == STATE
                else "Name one that only you may enter in [panel] socket of matrix.toml"
            )
        else:
            with durable.locked(path):
                return _bound(path)
    except FileNotFoundError:
        problem = f"{folder} is not there. Make it: mkdir -m 700 {folder}"
    except NotADirectoryError:
        problem = (
            f"{folder} is no folder, or lies in what is none. Name another in [panel] socket of "
            "matrix.toml"
        )
    except FileExistsError:
        problem = "what is there is no socket. Move it away, or name another path"
    except OSError as error:
        if not durable.is_lasting(error):
            refused = PanelUnavailable
        if error.errno in _TAKEN:
            problem = (
                "another matrix panel is there. End that one first: with Ctrl-C, or "
                "sudo systemctl stop matrix-panel"
            )
        else:
            problem = durable.in_words(error)
    raise refused(f"the panel cannot take frames at {path}: {problem}")


def _bound(path: Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise FileExistsError
            # Of another type than any panel's: it is told that somebody is there, and not them.
            probe.connect(os.fspath(path))
        except FileNotFoundError:
            pass
        except ConnectionRefusedError:  # of a process that is gone
            path.unlink()
    bound = socket.socket(socket.AF_UNIX)
    umask = os.umask(0o111)  # a chmod afterwards could hit what somebody has put in its place
    try:
        bound.bind(os.fspath(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(umask)
    return bound
