"""Files that a crash leaves as they were or as they were meant to be, never between.

Responsible for whole files: read one, put one in the place of another, one writer at a time. What
is in them, and what its absence or damage means, is left to who calls; every failure is an
``OSError``, and ``Busy`` is one too.

Beside ``NAME``, a writer uses ``.NAME.lock`` and ``.NAME.tmp``. A writer that was killed leaves
them behind: the next one takes both over. A path that is a symbolic link means what it points to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_S = 10.0
"""How long a writer waits for another one: a write takes milliseconds."""
_POLL_S = 0.01
_IGNORED = ".gitignore"

_LASTING = {
    errno.EACCES: "Run as a user who may, or change its mode or that of its folder",
    errno.EISDIR: "Move it away, or name another file",
    errno.ELOOP: "Move it away, or name another file",
    errno.ENAMETOOLONG: "Name it shorter",
    errno.ENOENT: "Make the folder that it is to be in",
    errno.ENOTDIR: "Make the folder that it is to be in",
    errno.EPERM: "Run as a user who may, or change its mode or that of its folder",
    errno.EROFS: "Mount it writable, or keep the file elsewhere",
}
"""What to do where trying again is pointless until somebody has changed something."""
_PASSING = {
    errno.EBUSY: "If that one hangs, end it",
    errno.EDQUOT: "Make room there, and run it again",
    errno.ENOSPC: "Make room there, and run it again",
}


class Busy(OSError):
    """Another process holds the lock, and goes on holding it."""


def is_lasting(error: OSError) -> bool:
    """Whether to try again is pointless until somebody has changed something."""
    return error.errno in _LASTING


def in_words(error: OSError) -> str:
    """Why, and what to do about it, for a sentence that has named the file."""
    remedy = {**_LASTING, **_PASSING}.get(error.errno or 0, "See to it, and run it again")
    return f"{error.strerror or type(error).__name__}. {remedy}"


def read(path: Path) -> tuple[bytes, os.stat_result]:
    """All of a regular file, and what the system says of exactly that file."""
    # Without O_NONBLOCK, a pipe by that name would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EISDIR, "It is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(), found
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, patience_s: float = PATIENCE_S) -> Iterator[Path]:
    """Be the only writer of ``path``. Yields what to read and write meanwhile, links resolved.

    Readers need no lock, and are not kept waiting by one.

    :raises Busy: another process held it all the time.
    """
    path = Path(os.path.realpath(path))
    lock = path.with_name(f".{path.name}.lock")
    descriptor = _take(lock, time.monotonic() + patience_s)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield path
    finally:
        # Before it is let go: who waits for this very file finds that it is gone, and starts again.
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def write(path: Path, content: bytes, *, mode: int) -> None:
    """Make ``content`` what is at ``path``, at once and for good. The lock must be held.

    ``mode`` is that of a new file, less the umask; one that exists keeps its own, and its owner and
    group as far as whoever writes may give it to them.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        try:
            with suppress(FileNotFoundError):
                _become(descriptor, path.stat())
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    try:
        _sync(path.parent)
    except OSError as error:
        # Under its own number it would be taken to say that nothing was written.
        reason = f"It is in its place, and a loss of power may undo that: {error.strerror}"
        raise OSError(errno.EIO, reason) from error


def _become(descriptor: int, found: os.stat_result) -> None:
    """Give it to whom that one belongs, under the same mode."""
    # One by one, because who is not root may still give it to a group that it is in. The mode
    # comes last: a change of owner takes bits of it away.
    for owner, group in ((-1, found.st_gid), (found.st_uid, -1)):
        with suppress(PermissionError):
            os.fchown(descriptor, owner, group)
    os.fchmod(descriptor, stat.S_IMODE(found.st_mode))


def make_private(folder: Path) -> None:
    """Make it for this user alone, for good, and nothing that Git would take; unless it exists."""
    if folder.exists():
        return
    import shutil  # here, because who only reads needs neither
    import tempfile

    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    hide_from_git(made)
    try:
        made.rename(folder)
    except OSError as error:
        shutil.rmtree(made)
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # somebody else was faster
            raise
    _sync(folder.parent)


def hide_from_git(folder: Path) -> None:
    """Have Git take nothing that is in it, unless it says itself already what Git may take."""
    with suppress(FileExistsError), (folder / _IGNORED).open("x") as file:
        file.write("*\n")


def is_hidden_from_git(folder: Path) -> bool:
    """Whether it says itself that Git may take nothing that is in it."""
    try:
        lines = (folder / _IGNORED).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return "*" in lines and not any(line.startswith("!") for line in lines)


def _sync(folder: Path) -> None:
    """Make what was created or renamed in it survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take(lock: Path, until_s: float) -> int:
    """The descriptor of the lock file, locked, once it is what the path leads to."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, lock):
                return descriptor
        except BlockingIOError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if time.monotonic() > until_s:
            raise Busy(errno.EBUSY, f"Process {_holder(lock)} has been writing it all the while")
        time.sleep(_POLL_S)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _holder(lock: Path) -> str:
    try:
        return lock.read_text(encoding="ascii", errors="replace") or "(unknown)"
    except OSError:
        return "(unknown)"
