"""Say once that something fails, and once that it works again."""

from __future__ import annotations

import logging


class Outage:
    """The state of one thing that can be away: the bus, a source, a page's drawing.

    A thing that fails every ten seconds for a week writes two lines, not sixty thousand.
    """

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self.failures = 0
        """How many times in a row it failed; 0 while it works."""

    def failed(self, why: str) -> None:
        """It failed. Only the first time in a row is a warning."""
        self.failures += 1
        level = logging.WARNING if self.failures == 1 else logging.DEBUG
        self._log.log(level, "%s: %s", self._what, why)

    def recovered(self) -> None:
        """It works."""
        if self.failures:
            self._log.warning("%s: works again after %d failures", self._what, self.failures)
        self.failures = 0
