"""Which page is on, and why. Pure: time comes in as seconds that only grow."""

from __future__ import annotations

from dataclasses import dataclass, replace

LONGEST_STRETCH = 3.0
"""A text that scrolls is read to its end, but no turn grows beyond this many times its length."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One place in the playlist."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Player:
    """The state of the playlist at one moment; every method gives the next state."""

    turns: tuple[Turn, ...]
    index: int = 0
    since_s: float = 0.0
    """When the page that is on came on."""
    asked: bool = False
    """Whether somebody asked for this page."""
    paused: bool = False
    pinned: bool = False

    @property
    def turn(self) -> Turn:
        """Whose turn it is."""
        return self.turns[self.index]

    @property
    def following(self) -> Turn | None:
        """Whose turn is next; None: nobody's, this page stays."""
        if self.paused or self.pinned or len(self.turns) == 1:
            return None
        return self.turns[(self.index + 1) % len(self.turns)]

    def until_s(self, scrolled_s: float | None = None) -> float | None:
        """When the next page comes on; None: never.

        ``scrolled_s``: how long after it came on the page has shown all of its text.
        """
        if self.following is None:
            return None
        length = self.turn.seconds
        if scrolled_s is not None:
            length = max(length, min(scrolled_s, LONGEST_STRETCH * length))
        return self.since_s + length

    def at(self, now_s: float, scrolled_s: float | None = None) -> Player:
        """The state at ``now_s``: the next page, if it is time."""
        until_s = self.until_s(scrolled_s)
        if until_s is None or now_s < until_s:
            return self
        return self._to(self.index + 1, now_s, asked=False)

    def step(self, by: int, now_s: float) -> Player:
        """Somebody asked for the next (1) or previous (-1) page; lets go of a pin."""
        return replace(self._to(self.index + by, now_s, asked=True), pinned=False)

    def pause(self, paused: bool, now_s: float) -> Player:
        """Stay on this page; going on, it has a whole turn more."""
        return replace(self, paused=paused, since_s=self.since_s if paused else now_s)

    def pin(self, name: str | None, now_s: float) -> Player:
        """Show this page and stay on it; None, or the page that is pinned already, lets go."""
        places = [place for place, turn in enumerate(self.turns) if turn.name == name]
        if not places or (self.pinned and places[0] == self.index):
            return replace(self, pinned=False, since_s=now_s)
        moved = self if places[0] == self.index else self._to(places[0], now_s, asked=True)
        return replace(moved, pinned=True)

    @property
    def why(self) -> str:
        """Why this page is on, as half a sentence."""
        if self.pinned:
            return "because it is pinned"
        if self.paused:
            return "because the playlist is paused"
        if len(self.turns) == 1:
            return "because it is the only page"
        return "because you asked for it" if self.asked else "because it is its turn"

    def _to(self, index: int, now_s: float, *, asked: bool) -> Player:
        return replace(self, index=index % len(self.turns), since_s=now_s, asked=asked)
