"""A terminal's screen: what it understands is what the terminal sink may write, and no more."""

from __future__ import annotations

import re

from PIL import Image

_TOKEN = re.compile(r"\x1b\[(\?\d+[hl]|[\d;]*[mJH])|[^\x1b]", re.DOTALL)
_BLACK = (b"\0\0\0", b"\0\0\0")


class Screen:
    """Fed with what is written to it."""

    def __init__(self) -> None:
        self.modes: dict[str, str] = {}
        """By its number whether a private mode is set (h) or reset (l): ``?25`` is the cursor."""
        self.written = 0
        """How many half blocks were."""
        self.words = ""
        """What else was, since the screen was cleared."""
        self._cells: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._pen = (0, 0)
        self._colours = _BLACK
        self._rest = ""

    def feed(self, text: str) -> None:
        text, at = self._rest + text, 0
        while found := _TOKEN.match(text, at):
            at = found.end()
            self._do(found)
        self._rest = text[at:]
        assert len(self._rest) < 40, f"not understood: {self._rest!r}"

    @property
    def image(self) -> Image.Image:
        """The dots that it shows; without a last row that is black, of half a character."""
        if not self._cells:
            return Image.new("RGB", (1, 1))
        width = 1 + max(x for x, _ in self._cells)
        height = 1 + max(y for _, y in self._cells)
        rows = []
        for y in range(height):
            cells = [self._cells.get((x, y), _BLACK) for x in range(width)]
            rows += [b"".join(upper for upper, _ in cells), b"".join(lower for _, lower in cells)]
        if not any(rows[-1]):
            rows.pop()
        return Image.frombytes("RGB", (width, len(rows)), b"".join(rows))

    def _do(self, token: re.Match[str]) -> None:
        said = token[1]
        if said is None:
            self._put(token[0])
        elif said.startswith("?"):
            self.modes[said[:-1]] = said[-1]
        elif said.endswith("H"):
            line, column = map(int, said[:-1].split(";")) if said != "H" else (1, 1)
            self._pen = (column - 1, line - 1)
        elif said == "2J":
            self._cells, self.words = {}, ""
        elif said == "0m":
            self._colours = _BLACK
        else:
            numbers = [int(part) for part in said[:-1].split(";")]
            assert (numbers[:2], numbers[5:7]) == ([38, 2], [48, 2]), said
            self._colours = bytes(numbers[2:5]), bytes(numbers[7:10])

    def _put(self, character: str) -> None:
        if character != "▀":
            self.words += character
            return
        self.written += 1
        self._cells[self._pen] = self._colours
        self._pen = (self._pen[0] + 1, self._pen[1])
