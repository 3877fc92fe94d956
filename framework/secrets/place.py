"""What a ciphertext is bound to: the place where it lies.

A ciphertext that is copied elsewhere cannot be read there, because the context is part of its
encryption (a derived Transit key).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self, cast

Layout = Literal["document", "fields"]

SEALED_FOR = "matrix.sealed/for"
"""The annotation that repeats what the ciphertexts are bound to. It opens nothing: it serves for
diagnosis, and to drop what is sealed for another layout when all is sealed anew."""
_TITLE = re.compile(r"(document|fields)/([\w.-]{1,253})/([\w.-]{1,253})/([\w.-]{1,253})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where one Secret is: a Kubernetes Secret, or a file (cluster and namespace ``local``)."""

    layout: Layout
    cluster: str
    namespace: str
    secret: str

    def context(self, data_key: str) -> bytes:
        """``v1\\0LAYOUT\\0CLUSTER\\0NAMESPACE\\0SECRET\\0DATAKEY``."""
        parts = ("v1", self.layout, self.cluster, self.namespace, self.secret, data_key)
        return "\0".join(parts).encode()

    @property
    def title(self) -> str:
        """What ``SEALED_FOR`` holds."""
        return "/".join((self.layout, self.cluster, self.namespace, self.secret))

    @classmethod
    def titled(cls, title: str) -> Self | None:
        """None: it is no title, or not one to be shown."""
        found = _TITLE.fullmatch(title)
        return cls(cast(Layout, found[1]), *found.groups()[1:]) if found else None


def elsewhere(place: SecretPlace, title: str) -> str:
    """That what does not open at ``place`` seems to be sealed for another, if ``title`` says so;
    else empty. It is not to be trusted: whoever can write what is stored can write that too."""
    sealed = SecretPlace.titled(title)
    if sealed is None or sealed == place:
        return ""
    names = [
        name
        for name in ("layout", "cluster", "namespace", "secret")
        if getattr(sealed, name) != getattr(place, name)
    ]
    was, now = (
        " and ".join(f"{name} {getattr(each, name)}" for name in names) for each in (sealed, place)
    )
    return f"it seems to be sealed for {was}, and is read as {now}"
