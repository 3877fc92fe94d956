"""``VaultTransit``: a derived key of HashiCorp Vault's Transit engine.

Responsible for what is asked of the engine, and what its answers mean: those of Vault 1.21 (an
error for each item), 1.13 (a rotation answers nothing) and 1.8 (one item that does not verify
fails its whole batch, with status 500). The connection is ``client``'s, the token ``login``'s.

Vault ignores the context, and says nothing, where the key is not *derived*. So whoever encrypts or
rewraps reads the key first and refuses such a one: nothing is ever sealed with it. A reader has no
right to read the key, and needs none: its policy requires the very contexts that it may decrypt.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from framework.secrets.patience import PATIENCE_S, given
from framework.secrets.transit import (
    BATCH_ITEMS,
    CIPHERTEXT,
    Sealed,
    TooOld,
    TransitForbidden,
    TransitKey,
    TransitRefused,
    Unreadable,
)
from framework.secrets.vault.client import (
    BOOTSTRAP,
    FORBIDDEN,
    MISMATCH,
    NAMESPACE,
    TABLE,
    Failure,
    Reply,
    VaultClient,
)
from framework.secrets.vault.login import Login, Session, TokenLogin
from framework.secrets.vault.settings import VaultSettings

BATCH_BYTES = 512 * 1024
"""A proxy before Vault often takes requests of at most 1 MiB. A larger item goes by itself."""
ITEM_BYTES = 64
"""What JSON adds to each."""


@contextmanager
def open_transit(
    settings: VaultSettings, login: Login, *, patience_s: float = PATIENCE_S
) -> Iterator[VaultTransit]:
    """The key that ``settings`` name. It logs in at the first call that needs it, and whatever
    happens, the token is revoked at the end. ``patience_s``: how long one call tries.

    :raises ConfigError: the settings cannot be, or the CA file cannot be used.
    """
    with closing(VaultClient(settings, patience_s=patience_s)) as vault:
        session = Session(vault, login)
        try:
            yield VaultTransit(session)
        finally:
            session.end()


class VaultTransit:
    """The key of the session's settings. Every call may log in, and try again for a while."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._vault = session.vault
        self._key = session.vault.settings.key
        self._mount = session.vault.settings.mount
        self._is_derived = False
        """Whether the key was seen to be, which never changes."""
        self._in_batches = True
        """Whether several may be rewrapped at once: a policy that pins contexts forbids it."""

    def encrypt(self, context: bytes, plaintext: bytes) -> str:
        self._check_derived()
        return given(self._encrypt(context, plaintext))

    def decrypt(self, sealed: Sealed) -> bytes:
        return given(self._decrypt(sealed))

    def rewrap(self, batch: Sequence[Sealed]) -> list[str | TransitRefused]:
        results: list[str | TransitRefused] = []
        for part in _parts(batch):
            results += self._rewrap(part)
        return results

    def read_key(self) -> TransitKey:
        key = given(self._read_key())
        self._is_derived = True
        return key

    def rotate(self) -> None:
        reply = given(self._ask("keys/{}/rotate", "rotate_key", repeat=False))
        if not reply.ok:
            raise self._refusal("keys/{}/rotate", reply)

    def set_min_decryption_version(self, version: int) -> None:
        path, function = "keys/{}/config", "update_key_configuration"
        if version < 1:  # Vault takes 0, and means 1
            raise TransitRefused(f"min_decryption_version cannot be {version}: versions begin at 1")
        reply = given(self._ask(path, function, min_decryption_version=version))
        if reply.status == 400:
            raise TransitRefused(
                f"{self._vault.name} does not set min_decryption_version of {self._named} to "
                f"{version}: it has no such version, or a higher min_encryption_version"
            )
        if not reply.ok:
            raise self._refusal(path, reply)

    def now(self) -> datetime:
        """To the second, as versions are dated."""
        reply = given(self._vault.ask(_health))
        seconds = reply.body.get("server_time_utc")
        if not isinstance(seconds, int):
            raise self._nonsense("sys/health", reply)
        return datetime.fromtimestamp(seconds, UTC)

    @property
    def _named(self) -> str:
        return f'the key "{self._key}" of {self._mount}'

    def _ask(
        self, path: str, function: str, *, right: str = "", repeat: bool = True, **what: object
    ) -> Reply | Failure:
        """``right``: what is to be told from ``path``, where one is allowed and not the other."""

        def ask(hvac: Any) -> Any:
            call = getattr(hvac.secrets.transit, function)
            return call(name=self._key, mount_point=self._mount, **what)

        return self._session.ask(right or path, ask, repeat=repeat)

    def _check_derived(self) -> None:
        if not self._is_derived:
            self.read_key()

    def _read_key(self) -> TransitKey | Failure:
        path = "keys/{}"
        reply = self._ask(path, "read_key")
        if not isinstance(reply, Reply):
            return reply
        if reply.status == 404:
            return self._no_key()
        if not reply.ok:
            return self._refusal(path, reply)
        data = reply.table("data")
        if data.get("derived") is False:
            return TransitRefused(
                f"{self._named} is not derived: what it seals could be read in any place. That "
                "cannot be changed, make another (vault write "
                f"{self._mount}/keys/NAME derived=true) and set key in {TABLE}"
            )
        return _key_of(data) or self._nonsense(path, reply)

    def _encrypt(self, context: bytes, plaintext: bytes) -> str | Failure:
        reply = self._ask(
            "encrypt/{}", "encrypt_data", context=_base64(context), plaintext=_base64(plaintext)
        )
        if not isinstance(reply, Reply):
            return reply
        if not reply.ok:
            return self._refusal("encrypt/{}", reply)
        return _ciphertext(reply.table("data")) or self._nonsense("encrypt/{}", reply)

    def _decrypt(self, sealed: Sealed) -> bytes | Failure:
        if not CIPHERTEXT.fullmatch(sealed.ciphertext):
            return _no_ciphertext()
        reply = self._ask(
            "decrypt/{}",
            "decrypt_data",
            context=_base64(sealed.context),
            ciphertext=sealed.ciphertext,
        )
        if not isinstance(reply, Reply):
            return reply
        if not reply.ok:
            return _unreadable(reply.errors, sealed) or self._refusal("decrypt/{}", reply)
        plaintext = reply.table("data").get("plaintext")
        try:
            if isinstance(plaintext, str):
                return base64.b64decode(plaintext, validate=True)
        except ValueError:
            pass
        return self._nonsense("decrypt/{}", reply)

    def _rewrap(self, batch: Sequence[Sealed]) -> Sequence[str | TransitRefused]:
        """Of a batch that may be sent as it is."""
        # What is no ciphertext may be a value in clear, and stays here.
        sound = [each for each in batch if CIPHERTEXT.fullmatch(each.ciphertext)]
        if sound:
            self._check_derived()
        rewrapped = iter(self._at_once(sound) or map(self._by_itself, sound))
        return [
            next(rewrapped) if CIPHERTEXT.fullmatch(each.ciphertext) else _no_ciphertext()
            for each in batch
        ]

    def _at_once(self, batch: Sequence[Sealed]) -> list[str | TransitRefused] | None:
        """None: they are to be sent one by one."""
        if len(batch) < 2 or not self._in_batches:
            return None
        items = [
            {"context": _base64(each.context), "ciphertext": each.ciphertext} for each in batch
        ]
        reply = given(
            self._ask(
                "rewrap/{}",
                "rewrap_data",
                right="rewrap/{} in batches",
                ciphertext=None,
                batch_input=items,
            )
        )
        if not reply.ok:  # by itself, each shows what is wrong with it
            self._in_batches = reply.status != FORBIDDEN
            return None
        results = reply.table("data").get("batch_results")
        if not isinstance(results, list) or len(results) != len(batch):
            raise self._nonsense("rewrap/{}", reply)
        return [self._item(*each) for each in zip(results, batch, strict=True)]

    def _item(self, result: object, sealed: Sealed) -> str | TransitRefused:
        table = result if isinstance(result, dict) else {}
        said = table.get("error")
        if said:
            return _unreadable(str(said).lower(), sealed) or self._refusal(
                "rewrap/{}", Reply(400, {"errors": [said]})
            )
        return _ciphertext(table) or self._nonsense("rewrap/{}", Reply(200, {}))

    def _by_itself(self, sealed: Sealed) -> str | TransitRefused:
        reply = given(
            self._ask(
                "rewrap/{}",
                "rewrap_data",
                context=_base64(sealed.context),
                ciphertext=sealed.ciphertext,
            )
        )
        if not reply.ok:
            return _unreadable(reply.errors, sealed) or self._refusal("rewrap/{}", reply)
        return _ciphertext(reply.table("data")) or self._nonsense("rewrap/{}", reply)

    def _refusal(self, path: str, reply: Reply) -> TransitRefused:
        """Of a reply that is none of the known faults of a ciphertext."""
        at = f"{self._mount}/{path.format(self._key)}"
        if reply.status == FORBIDDEN:
            right = "read" if path == "keys/{}" else "update"
            context = "" if path.startswith("keys") else ", with this context"
            login = self._session.login
            # Every other login is repeated when its token has run out.
            old = ". If it has, the token has run out: log in again (vault login)"
            return TransitForbidden(
                f"{self._vault.name} refuses {at} to {login.name}",
                f"let its policy have {right} there{context} ({BOOTSTRAP})"
                f"{old if isinstance(login, TokenLogin) else ''}",
            )
        if "key not found" in reply.errors:
            return self._no_key()
        if reply.status == 404:
            return TransitRefused(
                f"{self._vault.name} has nothing at {at}: set mount in {TABLE} to where the "
                "Transit engine is (vault secrets list)"
            )
        if reply.is_too_large:
            return TransitRefused(
                f"{self._vault.name}, or a proxy before it, takes no request as large as this: "
                "split the document into two sources, or let it take 2 MiB"
            )
        return TransitRefused(
            f"{self._vault.name} refuses {at} with status {reply.status}: its audit log says why"
        )

    def _no_key(self) -> TransitRefused:
        return TransitRefused(
            f"{self._vault.name} does not have {self._named}: make it ({BOOTSTRAP}; or it alone, "
            f"vault write {self._mount}/keys/{self._key} derived=true), or correct key and mount "
            f"in {TABLE}"
        )

    def _nonsense(self, path: str, reply: Reply) -> TransitRefused:
        return TransitRefused(
            f"{self._vault.name} answers {path.format(self._key)} (status {reply.status}) with "
            "something that Vault does not say: is it a Vault, and does a proxy change its answers?"
        )


def _health(hvac: Any) -> Any:
    """Not by hvac's own call, for it is the root namespace alone that answers this path."""
    return hvac.adapter.get(
        "/v1/sys/health", params={"standbyok": "true"}, headers={NAMESPACE: None}
    )


def _parts(batch: Sequence[Sealed]) -> Iterator[Sequence[Sealed]]:
    """In order, each small enough for one request."""
    part: list[Sealed] = []
    size = 0
    for each in batch:
        more = len(each.ciphertext) + len(each.context) * 4 // 3 + ITEM_BYTES
        if part and (len(part) == BATCH_ITEMS or size + more > BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(each)
        size += more
    if part:
        yield part


def _key_of(data: Mapping[str, Any]) -> TransitKey | None:
    """What may be known of it; None, if it is no key of the kind that seals."""
    keys, floor = data.get("keys"), data.get("min_decryption_version")
    if data.get("derived") is not True or not isinstance(floor, int) or not isinstance(keys, dict):
        return None
    try:
        versions = {int(name): datetime.fromtimestamp(made, UTC) for name, made in keys.items()}
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return TransitKey(versions, floor) if versions else None


def _unreadable(said: str, sealed: Sealed) -> TransitRefused | None:
    """What is wrong with the ciphertext, if Vault says that it is the ciphertext."""
    if "too old" in said:
        return TooOld(
            f"the ciphertext is of key version {sealed.version}, below min_decryption_version: it "
            "was retired. Seal the value again, or run matrix rotate --recover"
        )
    if "too new" in said:
        return Unreadable(
            f"the ciphertext is of key version {sealed.version}, which the key does not have: it "
            "is another key, or an older copy of Vault was restored"
        )
    if MISMATCH in said or "invalid ciphertext" in said:
        return Unreadable(
            "the ciphertext does not verify: it was sealed for another place or with another key, "
            "or it is damaged"
        )
    return None


def _no_ciphertext() -> Unreadable:
    return Unreadable("what is stored is not a ciphertext (vault:vN:...)")


def _ciphertext(table: Mapping[str, Any]) -> str | None:
    text = table.get("ciphertext")
    return text if isinstance(text, str) and CIPHERTEXT.fullmatch(text) else None


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
