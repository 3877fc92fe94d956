"""Start the panel process: all that needs root in order, and then never again.

The socket, the account, the library, the fonts and the LEDs first, because whoever has dropped root
may open none of them.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from framework import durable
from framework.errors import ConfigError
from framework.panel.driver import light, privileges
from framework.panel.driver.leds import open_leds
from framework.panel.driver.light import Light
from framework.panel.driver.receiver import Receiver
from framework.project import LONGEST_SIDE, PanelEntry

LONGEST_PATH = 103
"""What every system takes as the name of a socket."""


def open_panel(panel: PanelEntry, path: Path) -> Light:
    """Listen, open the LEDs, show that there is nothing to show, drop root.

    :raises ConfigError: one of these cannot be.
    """
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
    """A listening socket at ``path``; one that a killed process left behind is replaced.

    Who may reach it is decided by its folder, because the permissions of a socket count on some
    systems only.

    :raises ConfigError: others may reach it, or somebody listens there already.
    """
    try:
        mode = path.parent.stat().st_mode
        if len(os.fsencode(path)) > LONGEST_PATH:
            problem = "that is too long. Name a shorter one in [panel] socket of matrix.toml"
        elif mode & 0o007:
            problem = f"{path.parent} is open to all users. Close it: chmod o= {path.parent}"
        else:
            with durable.locked(path):
                return _bound(path)
    except FileNotFoundError:
        problem = f"{path.parent} is not there. Make it: mkdir -m 700 {path.parent}"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            problem = "another matrix panel listens there. End that one first"
        else:
            problem = durable.in_words(error)
    raise ConfigError(f"the panel cannot take frames at {path}: {problem}")


def _bound(path: Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except FileNotFoundError:
            pass
        except ConnectionRefusedError:  # of a process that is gone
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "somebody listens there")
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(os.fspath(path))
        path.chmod(0o666)
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening
