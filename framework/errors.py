"""Every exception that the framework raises of its own accord.

    MatrixError
    ├── ConfigError            what the user wrote cannot be; exit status 78
    ├── DefinitionError        a class that cannot work, refused when it is created (a TypeError)
    ├── Unavailable            fetch(): the source has nothing good just now
    │   └── NotModified        fetch(): the source says that what we have is still current
    ├── SecretsUnavailable     the secrets could not be read for now; exit status 75
    ├── PanelUnavailable       the LEDs could not be had for now; exit status 75
    └── BusUnavailable         the bus did not take or give what it was asked

Each says what happened, to what, and what to do about it, and none carries a configured value.
"""

from __future__ import annotations

from datetime import timedelta


class MatrixError(Exception):
    """The base of them all."""


class ConfigError(MatrixError):
    """The configuration is wrong: names class, section, field and remedy, never a value."""


class DefinitionError(MatrixError, TypeError):
    """A subclass is declared in a way that cannot work; raised while the class is created."""


class Unavailable(MatrixError):
    """A source that cannot be read now. The last good values stay until they expire.

    ``retry_after`` is the soonest that the source wants to be asked again; without it the schedule
    backs off by itself.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        if not isinstance(retry_after, timedelta | None):
            raise DefinitionError("retry_after must be a timedelta, as in timedelta(seconds=60)")
        self.retry_after = retry_after


class NotModified(Unavailable):
    """The source has not changed: the last good values are published again with new times."""

    def __init__(self, message: str = "not modified") -> None:
        super().__init__(message)


class SecretsUnavailable(MatrixError):
    """What keeps or decrypts the secrets did not answer in time: starting again may help."""


class PanelUnavailable(MatrixError):
    """The LEDs cannot be opened now, or another process has them: starting again may help."""


class BusUnavailable(MatrixError):
    """Redis is away, refuses, or does not answer in time."""
