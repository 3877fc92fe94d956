"""Whose a file is after it was written anew. What crashes leave is in ``test_local_faults``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from framework import durable


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_root_writes_stays_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    os.chown(path, 1234, 5678)
    path.chmod(0o2750)
    durable.write(path, b"new", mode=0o600)
    found = path.stat()
    assert path.read_text() == "new"
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1234, 5678, 0o2750)


def test_who_may_not_give_it_to_its_owner_gives_it_to_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def fchown(descriptor: int, owner: int, group: int) -> None:
        given.append((owner, group))
        if owner != -1:
            raise PermissionError

    monkeypatch.setattr(os, "fchown", fchown)
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    durable.write(path, b"new", mode=0o600)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert given == [(-1, path.stat().st_gid), (path.stat().st_uid, -1)]
