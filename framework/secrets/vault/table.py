"""Read ``[secrets.vault]``: check it, and fill it up from what Vault's own tools are told by.

``VAULT_ADDR``, ``VAULT_NAMESPACE``, ``VAULT_CACERT`` and ``VAULT_ROLE`` are defaults: the file
counts more. ``VAULT_TOKEN_FILE`` alone counts more than the file: with it a human logs in with the
token in there, where the file says how pods do. ``VAULT_TOKEN`` is not looked at, nor is
``~/.vault-token``: a token is used only where somebody says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from framework.secrets.kubernetes.settings import IN_POD
from framework.secrets.vault.settings import AUTHS, OUTSIDE, Auth, TokenAuth, VaultSettings
from framework.tables import Location, at, in_words

WITHIN: Location = ("secrets", "vault")
_DEFAULTS = {"address": "VAULT_ADDR", "namespace": "VAULT_NAMESPACE", "ca_file": "VAULT_CACERT"}
_ROLE = "VAULT_ROLE"
TOKEN_FILE = "VAULT_TOKEN_FILE"  # noqa: S105  # what it is called, not what it is
VARIABLES = (*_DEFAULTS.values(), _ROLE, TOKEN_FILE)
"""All that is looked for in the environment."""
_FILES = ("token_file", "secret_id_file", "ca_file")
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def read_vault(
    path: Path, table: Mapping[str, Any], environ: Mapping[str, str], folder: Path
) -> VaultSettings | list[str]:
    """The settings, or their problems, a line each.

    ``path``: the file that ``table`` stands in; ``folder``: what relative paths start from.
    """
    login = _login(path, table.get("login", {}), environ, folder)
    defaults = {name: environ[known] for name, known in _DEFAULTS.items() if environ.get(known)}
    given = {**_placed(defaults, Path.cwd()), **_placed(table, folder)}
    if isinstance(login, list):
        return login
    try:
        settings: VaultSettings = _adapter(VaultSettings).validate_python({**given, "login": login})
    except ValidationError as error:
        names = [each.name for each in fields(VaultSettings)]
        return [_hinted(line) for line in in_words(path, error, lambda _: names, WITHIN)]
    misfits = [
        f"{path}: {at((*WITHIN, *name.split('.')))} {what}" for name, what in settings.misfits()
    ]
    return misfits or settings


def _login(path: Path, table: object, environ: Mapping[str, str], folder: Path) -> Auth | list[str]:
    within = (*WITHIN, "login")
    if environ.get(TOKEN_FILE):
        return TokenAuth(**_placed({"token_file": environ[TOKEN_FILE]}, Path.cwd()))
    if not isinstance(table, Mapping):
        return [f"{path}: {at(within)} must be a table"]
    method = table.get("method", "kubernetes")
    cls = AUTHS.get(method) if isinstance(method, str) else None
    if cls is None:
        return [f"{path}: {at((*within, 'method'))} must be one of {', '.join(AUTHS)}"]
    names = [each.name for each in fields(cls)]
    given = {**_placed(table, folder), "method": method}
    if "role" in names and environ.get(_ROLE):
        given.setdefault("role", environ[_ROLE])
    try:
        auth: Auth = _adapter(cls).validate_python(given)
    except ValidationError as error:
        is_pod = all(name in environ for name in IN_POD)
        more = "" if is_pod or method != "kubernetes" else f". {OUTSIDE}"
        return [_hinted(line, more) for line in in_words(path, error, lambda _: names, within)]
    return auth


def _placed(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """With absolute paths: the child works in another folder, and has no home."""
    placed = dict(table)
    for name in _FILES:
        value = placed.get(name)
        if isinstance(value, str) and value:
            placed[name] = str(folder.absolute() / _at_home(Path(value)))
    return placed


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user, or this one has no home
        return path


def _hinted(line: str, more: str = "") -> str:
    """Where else it can be said."""
    known = {f".{name} is missing": variable for name, variable in _DEFAULTS.items()}
    known[".role is missing"] = _ROLE
    for end, variable in known.items():
        if line.endswith(end):
            return f"{line}, and so is {variable} in the environment{more}"
    return line
