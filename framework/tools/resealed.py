"""What ``matrix reseal`` has done, in lines, and the way from the old Secret to the new, in steps.

At every step, whatever starts can read its secrets, but where one namespace changes its key; and
nothing that is read can be retired, since what rotates rests until it knows the new Secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from framework.secrets.commands import kubectl, vault
from framework.secrets.kubernetes.source import KubernetesSource
from framework.secrets.origin import key_of
from framework.secrets.resealer import Resealed
from framework.secrets.source import Home
from framework.secrets.vault.policies import prefix
from framework.tools.restart import readers, restart

Step = Sequence[str]
"""What is to be done, and the commands for it."""

_ACCESS = ("matrix access", "matrix vault bootstrap --from access.json")


@dataclass(frozen=True, slots=True)
class Told:
    """What was done, and what is left to do."""

    done: Resealed
    old: KubernetesSource
    old_home: Home
    new: KubernetesSource
    home: Home

    def what(self) -> Iterator[str]:
        old, new, done = self.old, self.new, self.done
        yield f"opened      {_versions(done.opened)} in {old.name}, with {key_of(self.old_home)}"
        verb = "would seal" if None in done.sealed.values() else "sealed"
        sealed = f"{_versions(done.sealed)} in {new.name}, with {key_of(self.home)}"
        yield f"{verb:<11} {sealed}{', by an earlier run' if done.is_earlier else ''}"
        if done.left:
            yield f"left        {', '.join(done.left)} in {old.name}"

    def next(self) -> Iterator[str]:
        yield "next        in this order:"
        for number, (what, *commands) in enumerate(self._steps(), 1):
            yield ""
            yield f"{number}. {what}{':' if commands else ''}"
            yield from (f"   {each}" for each in commands)

    def _steps(self) -> Iterator[Step]:
        namespaces = dict.fromkeys((self.old.namespace, self.new.namespace))
        yield (
            "Suspend what rotates, until it knows the new Secret",
            *(f"{self._kubectl(namespace)} get cronjobs" for namespace in namespaces),
            *(self._suspend(namespace, "true") for namespace in namespaces),
        )
        yield self._rights()
        role = "; and the VAULT_ROLE that matrix access prints" if self._is_moved else ""
        yield (
            "Give the Deployments of what reads it the new Secret, in the volume (secretName) or, "
            "if it asks the API server, in its Role (resourceNames); and a ConfigMap of another "
            "name, so that pods of before keep theirs, whose matrix.toml has the new "
            f"[[secrets.source]] in place of the old one{role}",
        )
        yield from self._restart()
        yield from self._take_away()
        yield (
            "Let what rotates and encrypts have the new Secret in its Role (resourceNames), and "
            "what rotates access.json too (its ConfigMap). Then resume it",
            self._suspend(self.new.namespace, "false"),
        )
        if self.old.namespace != self.new.namespace:
            yield (
                f"The same for what rotates in {self.old.namespace}, with an access.json without "
                "the old Secret. If nothing is left there for it",
                f"{self._kubectl(self.old.namespace)} delete cronjob NAME",
            )
        yield from self._delete()

    def _rights(self) -> Step:
        if self._is_moved:
            return "Make the rights to the new one, beside those to the old one", *_ACCESS
        if self._is_new_key:
            return (
                "Make the rights to the new one. One namespace has one key: if services read the "
                "old one with its own until now, say --take-away, and go on at once, for what "
                "starts before the next two steps are done has no right",
                *_ACCESS,
            )
        return (
            "Make the rights to both: have the old [[secrets.source]] beside the new one in "
            "matrix.toml, here and for this step alone",
            *_ACCESS,
        )

    def _restart(self) -> Iterator[Step]:
        namespace, names = self.new.namespace, readers(self.new, self.done.sealed, self.home)
        if names is None and self.old.namespace == namespace:
            names = readers(self.old, self.done.opened, self.home)
        which = "" if names else ", each that matrix access says reads it"
        names = names or ["NAME"]
        there = self._kubectl(namespace)
        yield f"Start it again{which}", restart(namespace, names, self.home)
        yield (
            "See that it reads",
            *(f"{there} rollout status deployment/{name}" for name in names),
            *(f"{there} exec deployment/{name} -- matrix read" for name in names),
        )

    def _take_away(self) -> Iterator[Step]:
        if self._is_moved:
            roles = f"auth/{self._auth}/role"
            name = f"{prefix(self.old.cluster, self.old.namespace)}NAME"
            yield (
                "Take away the rights of whatever nothing runs as any more",
                vault(self.home, "list", roles),
                vault(self.home, "delete", f"{roles}/{name}"),
                vault(self.home, "policy delete", name),
            )
        elif not self._is_new_key:
            yield (
                "Take the old [[secrets.source]] out of matrix.toml, and the rights to it away",
                _ACCESS[0],
                f"{_ACCESS[1]} --take-away",
            )

    def _delete(self) -> Iterator[Step]:
        left = f", unless {', '.join(self.done.left)} is still read" if self.done.left else ""
        yield (
            f"Delete the old Secret{left}",
            f"{self._kubectl(self.old.namespace)} delete secret {self.old.secret}",
        )
        if self._is_new_key:
            key = key_of(self.old_home)
            yield (
                "Keep the old key until nothing else is sealed with it, and no backup holds the "
                "old Secret any more. Then",
                vault(self.home, "write", f"{key}/config", "deletion_allowed=true"),
                vault(self.home, "delete", key),
            )

    def _suspend(self, namespace: str, suspend: Literal["true", "false"]) -> str:
        patch = f'{{"spec": {{"suspend": {suspend}}}}}'
        return f"{self._kubectl(namespace)} patch cronjob NAME -p '{patch}'"

    def _kubectl(self, namespace: str) -> str:
        return f"{kubectl(self.home)} -n {namespace}"

    @property
    def _is_moved(self) -> bool:
        """Roles are called by cluster and namespace, so the old ones stay beside the new ones."""
        old, new = self.old, self.new
        return (old.cluster, old.namespace) != (new.cluster, new.namespace)

    @property
    def _is_new_key(self) -> bool:
        return key_of(self.old_home) != key_of(self.home)

    @property
    def _auth(self) -> str:
        """Where pods log in, if that is written down."""
        login = (self.home.vault or {})["login"]
        return str(login["mount"]) if login["method"] == "kubernetes" else "kubernetes"


def _versions(data_keys: Mapping[str, int | None]) -> str:
    return ", ".join(
        name if version is None else f"{name} (v{version})" for name, version in data_keys.items()
    )
