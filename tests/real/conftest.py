"""The real servers of the session. They are built beforehand, never here: ``make test-real``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.real import build
from tests.real.authority import Authority
from tests.real.faults import House, house_of
from tests.real.servers import RealKubernetes, RealVault

_VAULTS = {"1.21.2": build.VAULT, "1.13.1": build.OLD_VAULT}


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that signs for the servers of the session."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def vault_of(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Callable[[str], RealVault]]:
    """The Vault of the session in a version: leave it as it is set up, running and unsealed."""
    vaults: dict[str, RealVault] = {}
    with contextlib.ExitStack() as stack:

        def get(version: str) -> RealVault:
            if version not in vaults:
                folder = tmp_path_factory.mktemp("vault")
                vaults[version] = stack.enter_context(_unsealed(version, folder, authority))
            return vaults[version]

        yield get


@pytest.fixture(scope="session")
def vault(vault_of: Callable[[str], RealVault]) -> RealVault:
    return vault_of("1.21.2")


@pytest.fixture(scope="session")
def old_vault(vault_of: Callable[[str], RealVault]) -> RealVault:
    return vault_of("1.13.1")


@pytest.fixture(scope="session", params=_VAULTS)
def each_vault(request: pytest.FixtureRequest, vault_of: Callable[[str], RealVault]) -> RealVault:
    """A test that asks for it runs on all of them."""
    return vault_of(request.param)


@pytest.fixture(params=_VAULTS)
def private_vault(
    request: pytest.FixtureRequest, tmp_path: Path, authority: Authority
) -> Iterator[RealVault]:
    """One of this test's own, and the test runs on each: seal it, kill it, restore it."""
    with _unsealed(request.param, tmp_path, authority) as vault:
        yield vault


@pytest.fixture(scope="session")
def kubernetes(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[RealKubernetes]:
    """The API server of the session: leave it running."""
    binary = required(build.KUBE_APISERVER)
    etcd = build.etcd()
    if etcd is None:
        _missing("no etcd on PATH: apt install etcd-server, then make test-real")
    folder = tmp_path_factory.mktemp("kubernetes")
    with RealKubernetes(binary, etcd, folder, authority) as kubernetes:
        yield kubernetes


@pytest.fixture(scope="module")
def house(
    vault: RealVault,
    kubernetes: RealKubernetes,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    """A namespace of this file's own, whose commands can meet faults."""
    with house_of(vault, kubernetes, authority, tmp_path_factory.mktemp("house")) as house:
        yield house


@contextlib.contextmanager
def _unsealed(version: str, folder: Path, authority: Authority) -> Iterator[RealVault]:
    with RealVault(required(_VAULTS[version]), folder, authority.leaf("vault")) as vault:
        vault.init()
        vault.unseal()
        yield vault


def required(program: build.Program) -> Path:
    """The program; where it is not built the test is skipped, or failed if ``MATRIX_REAL`` is
    ``required``.
    """
    binary = build.built(program)
    if binary is None:
        _missing(f"{program.name} is not built: run make test-real")
    return binary


def _missing(what: str) -> NoReturn:
    if os.environ.get("MATRIX_REAL") == "required":
        pytest.fail(what)
    pytest.skip(what)
