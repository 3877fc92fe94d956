"""Ask for one line on the terminal without showing it, and notice that more than one was pasted."""

from __future__ import annotations

import select
import sys
import termios

import typer

from framework.termmodes import without

LONGEST = 4095
"""With its end. Linux drops in silence what a line has more than that."""
PASTE_S = 0.1
"""How much later the rest of what is pasted may come. Nobody types another line in that time."""


def ask_hidden(question: str) -> bytes | None:
    """The line, with its end; None if it was more than one, or too long a one.

    Whatever else is waiting to be read is dropped: it must not land in the shell.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, without(before, termios.ECHO))
        typer.echo(question, nl=False, err=True)
        line = sys.stdin.buffer.readline()
        # A last line without an end is seen only by who does not ask for lines.
        bare = without(before, termios.ECHO | termios.ICANON)
        termios.tcsetattr(terminal, termios.TCSANOW, bare)
        more, _, _ = select.select([terminal], [], [], PASTE_S)
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        typer.echo(err=True)  # the line break that was not shown, after Ctrl-C too
    return None if more or len(line) >= LONGEST else line
