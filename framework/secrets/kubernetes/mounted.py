"""``MountedStore``: a Secret that Kubernetes has mounted as a volume, to be read alone.

It needs no right, no token and no API server. kubelet keeps the files in a folder of its own for
each state of the Secret, lets ``..data`` lead to the newest, and changes that link at once: so what
is read through one state of the link belongs together.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from framework import durable
from framework.secrets.filefailures import store_failure
from framework.secrets.kubernetes.secretdata import texts_of
from framework.secrets.store import Stored, StoreRefused, StoreUnavailable

LINK = "..data"
ATTEMPTS = 5
"""kubelet looks about once a minute: twice within one reading is already strange."""
_NO_MOUNT = (errno.ENOENT, errno.ENOTDIR, errno.EINVAL)


class MountedStore:
    """The Secret called ``name``, mounted at ``folder``."""

    def __init__(self, folder: Path, *, name: str) -> None:
        self.name = f"{name} mounted at {folder}"
        self._folder = folder

    def read(self) -> Stored:
        contents = self.contents()
        digest = hashlib.sha256()
        for key, content in sorted(contents.items()):
            digest.update(hashlib.sha256(key.encode()).digest() + hashlib.sha256(content).digest())
        return Stored(digest.hexdigest(), texts_of(contents))

    def contents(self) -> Mapping[str, bytes]:
        """All data keys, as they were at one moment.

        :raises StoreRefused: :raises StoreUnavailable:
        """
        outcome = self._contents()
        if isinstance(outcome, StoreRefused | StoreUnavailable):
            raise outcome
        return outcome

    def create(self, data: Mapping[str, str], annotations: Mapping[str, str]) -> NoReturn:
        raise self._read_only()

    def replace(
        self, held: Stored, data: Mapping[str, str], annotations: Mapping[str, str]
    ) -> NoReturn:
        raise self._read_only()

    def _read_only(self) -> StoreRefused:
        return StoreRefused(
            f"{self.name} can only be read there: write it through the API server, from a "
            "[[secrets.source]] without mounted"
        )

    def _contents(self) -> Mapping[str, bytes] | StoreRefused | StoreUnavailable:
        link = self._folder / LINK
        for _ in range(ATTEMPTS):
            try:
                now = link.readlink()
                contents = _files(self._folder / now)
                if link.readlink() == now:
                    return contents
            except OSError as error:
                if error.errno == errno.ENOENT and link.is_symlink():
                    continue  # kubelet has just removed them
                if error.errno in _NO_MOUNT:
                    return StoreRefused(
                        f"{self._folder} is no mounted Secret (it has no {LINK}): mount it as a "
                        "volume, whole and not by subPath, and let mounted name that folder"
                    )
                return store_failure(self.name, "read", error)
        return StoreUnavailable(f"{self.name} changed all the while it was read")


def _files(folder: Path) -> dict[str, bytes]:
    return {each.name: durable.read(each)[0] for each in folder.iterdir() if not each.is_dir()}
