"""The folder that a user works in: ``matrix.toml``, and the state that lies beside it.

Responsible for finding and checking the file, and for the state folder. ``[config]``, ``[secrets]``
and names are handed on as they are: what they mean is the business of ``loading``, of the secrets
and of the instances.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
)

from framework import durable
from framework.brightness import FULL, levels
from framework.errors import ConfigError
from framework.tables import Location, Table, in_words

FILE = "matrix.toml"
STATE = ".matrix"
HEALTH_PORT = "MATRIX_HEALTH_PORT"
MOST_PORT = 65535

LONGEST_SIDE = 512
"""Of a panel, in pixels."""
_MOST_BYTE = 255
"""What the bindings can hold; which of it they know is theirs to say, and differs by version."""

Name = Annotated[str, AfterValidator(str.lower)]
Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00]*$")]


class ServiceEntry(Table):
    """One ``[[service]]``."""

    use: str = Field(min_length=1)
    """An entry point, or ``module:Class``."""
    name: Name | None = None
    """Of the instance, lower-cased; None: the class's own."""


class PageEntry(Table):
    """One ``[[page]]``: a place in the playlist."""

    use: str = Field(min_length=1)
    """An entry point, or ``module:Class``."""
    name: Name | None = None
    """Of the instance, lower-cased; None: the class's own."""
    feeds: dict[str, Name] = Field(default={})
    """Which instance each feed follows, by the page's attribute."""
    seconds: float | None = Field(default=None, strict=True, gt=0, allow_inf_nan=False)
    """How long it stays on; None: as long as all others."""


def _seen_size(panel: dict[str, Any]) -> tuple[int, int]:
    """Of what has been validated so far: the rest has its own problem."""
    width = panel.get("cols", 1) * panel.get("chain_length", 1)
    height = panel.get("rows", 1) * panel.get("parallel", 1)
    return (height, width) if panel.get("rotate") in (90, 270) else (width, height)


def _seen_width(panel: dict[str, Any]) -> int:
    return min(_seen_size(panel)[0], LONGEST_SIDE)


def _seen_height(panel: dict[str, Any]) -> int:
    return min(_seen_size(panel)[1], LONGEST_SIDE)


class PanelEntry(Table):
    """``[panel]``: the LEDs, and how they are driven. Names and meanings of most are the bindings'.

    None: whatever the bindings do when they are not told.
    """

    driver: Literal["rgbmatrix", "piomatter"] | None = None
    """None: there are no LEDs."""
    rows: int = Field(default=64, strict=True, ge=4, le=128)
    cols: int = Field(default=64, strict=True, ge=4, le=512)
    """Of one panel; ``chain_length`` of them one after another, ``parallel`` chains."""
    chain_length: int = Field(default=2, strict=True, ge=1, le=64)
    parallel: int = Field(default=1, strict=True, ge=1, le=6)
    rotate: Literal[0, 90, 180, 270] = 0
    """Clockwise. Pages draw for what is then seen."""
    width: int = Field(default_factory=_seen_width, strict=True, ge=1, le=LONGEST_SIDE)
    height: int = Field(default_factory=_seen_height, strict=True, ge=1, le=LONGEST_SIDE)
    """What pages draw for until the panel itself has said how large it is."""
    brightness: Annotated[Mapping[str, int], PlainValidator(levels)] = {"00:00": FULL}
    hardware_mapping: Text | None = None
    gpio_slowdown: int | None = Field(default=None, strict=True, ge=0, le=10)
    led_rgb_sequence: Literal["RGB", "RBG", "GRB", "GBR", "BRG", "BGR"] | None = None
    pixel_mapper_config: Text | None = None
    pwm_bits: int | None = Field(default=None, strict=True, ge=1, le=11)
    pwm_lsb_nanoseconds: int | None = Field(default=None, strict=True, ge=50, le=3000)
    limit_refresh_rate_hz: int | None = Field(default=None, strict=True, ge=0)
    multiplexing: int | None = Field(default=None, strict=True, ge=0, le=_MOST_BYTE)
    row_address_type: int | None = Field(default=None, strict=True, ge=0, le=_MOST_BYTE)
    panel_type: Text | None = None
    disable_hardware_pulsing: bool | None = Field(default=None, strict=True)
    rp1: Literal["pio", "rio"] | None = None
    """How a Pi 5 drives its pins."""
    user: Text = "daemon"
    """Who ``matrix panel`` is after it has opened the LEDs as root."""
    socket: Text | None = None
    """Where it takes frames; None: ``panel.sock`` in the state folder."""


class HealthEntry(Table):
    """``[health]``: where a process says how it is."""

    host: Text = "0.0.0.0"  # noqa: S104  # probes and Prometheus ask from other machines
    port: int | None = Field(default=None, strict=True, ge=1, le=MOST_PORT)
    """None: nowhere. ``MATRIX_HEALTH_PORT`` says another, for one process of several."""


class _File(Table):
    config: dict[str, Any] = Field(default={})
    secrets: dict[str, Any] = Field(default={})
    service: tuple[ServiceEntry, ...] = ()
    page: tuple[PageEntry, ...] = ()
    panel: PanelEntry = PanelEntry()
    health: HealthEntry = HealthEntry()


@dataclass(frozen=True, slots=True, repr=False)
class Project:
    """What ``matrix.toml`` says, or what holds without one."""

    path: Path | None
    """The file; None: there is none."""
    state: Path
    """Where the embedded default keeps its keyring, its sealed file and its server's address."""
    config: Mapping[str, Any]
    secrets: Mapping[str, Any]
    services: tuple[ServiceEntry, ...]
    pages: tuple[PageEntry, ...]
    panel: PanelEntry
    health: HealthEntry

    @classmethod
    def find(cls, environ: Mapping[str, str], cwd: Path) -> Project:
        """The file that ``MATRIX_TOML`` names, which must exist, else the one in ``cwd``."""
        named, health_port = environ.get("MATRIX_TOML"), environ.get(HEALTH_PORT)
        del environ  # a traceback keeps the locals of this frame
        path = cwd / (named or FILE)
        if not named and not path.exists():
            return cls._of(None, cwd, _File(), health_port)
        outcome = _read(path)
        if isinstance(outcome, _File):
            return cls._of(path, path.parent, outcome, health_port)
        raise ConfigError("\n".join(outcome))

    @classmethod
    def _of(cls, path: Path | None, folder: Path, file: _File, health_port: str | None) -> Project:
        return cls(
            path=path,
            state=folder / STATE,
            config=file.config,
            secrets=file.secrets,
            services=file.service,
            pages=file.page,
            panel=file.panel,
            health=file.health if not health_port else _at_port(file.health, health_port),
        )

    def make_state(self) -> Path:
        """The state folder, made if need be; ``ConfigError`` if others can look into it."""
        return make_state(self.state)

    def bus_url(self) -> str | None:
        """Where the embedded server of this folder listens, if one runs: the one line of a file.

        It holds the server's password, so ``ConfigError`` if others can read it.
        """
        path = self.state / "bus"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = error.strerror
        else:
            with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
                found = os.fstat(descriptor)
                _check_private(path, found, stat.S_ISREG(found.st_mode), "a file", "600")
                return file.readline(4096).strip() or None
        raise ConfigError(f"{path} cannot be read: {reason}. Remove it, start the server again")


def _at_port(health: HealthEntry, port: str) -> HealthEntry:
    if port.isascii() and port.isdecimal() and 1 <= int(port) <= MOST_PORT:
        return health.model_copy(update={"port": int(port)})
    raise ConfigError(f"environment {HEALTH_PORT} must be a port, 1 to {MOST_PORT}")


def make_state(folder: Path) -> Path:
    """Make it if need be, and keep it out of Git; ``ConfigError`` if others can look into it."""
    try:
        durable.make_private(folder)
        found = folder.lstat()
    except OSError as error:
        reason = error.strerror
    else:
        _check_private(folder, found, stat.S_ISDIR(found.st_mode), "a folder", "700")
        with suppress(OSError):  # where that cannot be written, nothing can that it is about
            durable.hide_from_git(folder)
        return folder
    raise ConfigError(f"{folder} cannot be made: {reason}. Work in a folder of your own")


def _check_private(path: Path, found: os.stat_result, is_kind: bool, kind: str, mode: str) -> None:
    """``is_kind``: whether it is ``kind``, as it must be."""
    if not is_kind:
        raise ConfigError(f"{path} must be {kind}. Remove it")
    if found.st_uid != os.geteuid():
        raise ConfigError(
            f"{path} belongs to another user (id {found.st_uid}), who could read what is kept in "
            "it. Run as that user, or work in a folder of your own"
        )
    if found.st_mode & 0o077:
        raise ConfigError(f"{path} is open to other users. Close it: chmod {mode} {path}")


def _read(path: Path) -> _File | list[str]:
    """The file, or its problems as data: neither the text nor its values belong in an exception."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return _File.model_validate(table)
    except OSError as error:
        return [f"{path} cannot be read: {error.strerror}. MATRIX_TOML, if set, must name the file"]
    except UnicodeDecodeError as error:
        return [f"{path} is not text in UTF-8, at byte {error.start}. Save it as UTF-8"]
    except ValidationError as error:
        return in_words(path, error, _names)
    except tomllib.TOMLDecodeError as error:
        return [_syntax(path, str(error))]
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets in brackets
        return [f"{path} holds a number or a nesting that is too large to be read. Make it smaller"]


def _syntax(path: Path, message: str) -> str:
    """What tomllib says: it quotes names and single characters, never values."""
    reason, _, at = message.rpartition(" (at ")
    return (
        f"{path}, {at.rstrip(')')}: {reason}. Text needs quotes, a table needs [brackets], "
        "a list of tables [[double ones]]"
    )


def _names(loc: Location) -> Iterable[str]:
    """What may stand in the table that the last part of ``loc`` is in."""
    tables: dict[int | str, type[BaseModel]] = {
        "service": ServiceEntry,
        "page": PageEntry,
        "panel": PanelEntry,
        "health": HealthEntry,
    }
    return (tables[loc[0]] if len(loc) > 1 else _File).model_fields
