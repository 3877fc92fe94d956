"""``House``: a namespace whose commands meet faults between them and the servers.

Responsible for what a fault is, for commands that go through the proxy or straight to the servers,
and for what is there afterwards: to a reader, and in truth. What must be there is the tests'.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from framework.errors import SecretsUnavailable
from framework.project import Project
from framework.secrets.place import Layout
from framework.secrets.prune import Tree
from framework.secrets.reader import read
from framework.secrets.settings import SecretsSettings
from framework.secrets.transit import Sealed, version_of
from framework.secrets.vault.policies import ENCRYPTOR, ROTATOR
from tests.real.authority import Authority
from tests.real.commands import Commands, End
from tests.real.production import DATA_KEY, DOCUMENT, FIELDS, Production, rule
from tests.real.proxy import Act, Call, Proxy, Reply
from tests.real.servers import RealKubernetes, RealVault
from tests.waiting import LIMIT_S

Fault = Literal["killed before", "killed after", "reply lost", "away", "away after"]
"""What happens at one call: the command is killed before it arrives, or when the server has done
it; its reply is lost; from then on there are no servers, before it or after it."""
LASTING = ("away", "away after")
DONE_FIRST = ("killed after", "reply lost", "away after")

NAMES: dict[Layout, str] = {"document": DOCUMENT, "fields": FIELDS}
DECLARED = Tree({"tide": {"token": {}, "pin": {}}}, {})
DAYS_S = 2 * 24 * 3600
ACCOUNTS = {"encrypt": ENCRYPTOR, "rotate": ROTATOR}
"""As which service account a command logs in to Vault. The others do so by a token."""
THROUGH = "-through"
BEFORE, LOOSE_KEY = "before", "loose"
"""A Secret of another tool, and its key, which is not derived."""
HUMAN = "human"
"""The service account that asks the API server."""
UNKNOWN = "it is not known whether"
"""What a command says that cannot find out."""

Words = tuple[str, ...]


def spoil(fault: Fault, at: int, commands: Commands) -> Act:
    """Let it happen at that call, to the command that runs."""

    def act(call: Call, forward: Callable[[], Reply]) -> Reply | None:
        if call.number < at or (call.number > at and fault not in LASTING):
            return forward()
        if call.number == at and fault in DONE_FIRST:
            forward()
        if fault.startswith("killed"):
            commands.kill()
        return None

    return act


def meanwhile(do: Callable[[], object], at: int, _: Commands) -> Act:
    """Do something else before that call arrives."""

    def act(call: Call, forward: Callable[[], Reply]) -> Reply | None:
        if call.number == at:
            do()
        return forward()

    return act


@dataclass(frozen=True)
class Run:
    """A command that something happened to, at one of its calls."""

    words: Words
    calls: list[Call]
    at: int
    end: End

    def sent(self, what: str) -> list[Call]:
        """What was to change a Secret ("/secrets"), to make a version of the key ("/rotate"), or to
        raise its floor ("/config")."""
        return [call for call in self.calls if what in call.path and call.method != "GET"]

    def done(self, what: str) -> int:
        """How many of them the server has done."""
        return sum(call.is_done for call in self.sent(what))


@dataclass(frozen=True)
class State:
    """What there is in truth."""

    versions: dict[Layout, set[int]]
    """Of the ciphertexts."""
    latest: int
    floor: int


def at_version(version: int) -> dict[Layout, set[int]]:
    """All ciphertexts."""
    return {layout: {version} for layout in NAMES}


class House:
    """A document and fields, sealed; who seals and rotates, and who reads them."""

    def __init__(self, production: Production, authority: Authority, stack: ExitStack) -> None:
        """``stack``: what closes all that is opened."""
        ports = {"vault": production.vault.port, "kubernetes": production.kubernetes.port}
        self.production = production
        self._proxy = stack.enter_context(Proxy(authority.leaf("proxy"), ports))
        self._commands = stack.enter_context(Commands())
        self._others = stack.enter_context(Commands())
        production.make()
        self._give_rights()
        self._configure()
        self._settings = SecretsSettings.of(Project.find(production.environ, production.folder))
        self._readers = {
            name: stack.enter_context(production.transit(production.login(f"read_{name}", name)))
            for name in ("tide", "moon")
        }
        self._stores = {
            layout: stack.enter_context(production.store(name, "tide"))
            for layout, name in NAMES.items()
        }
        self._key = f"{production.name}/keys/matrix"
        loose = {"exportable": True, "allow_plaintext_backup": True}  # for ``age``
        production.vault.must("POST", f"{self._key}/config", loose)

    def _give_rights(self) -> None:
        """What a human needs who runs all the commands with one kubeconfig."""
        production, names = self.production, NAMES.values()
        for account in (HUMAN, ROTATOR):
            production.kubernetes.account(production.name, account)
        production.allow(
            HUMAN,
            rule("get", *names, BEFORE),
            rule("update", *names),
            rule("create"),
            rule("create", what="events"),
            rule("create", *ACCOUNTS.values(), what="serviceaccounts/token"),
        )

    def _configure(self) -> None:
        """For each command one ``matrix.toml`` with the servers, and one with the proxy."""
        production = self.production
        name = production.name
        logins = {
            command: f'method = "token-request"\nmount = "{name}"\n'
            f'role = "{production.role(command)}"\nservice_account = "{account}"\n'
            f'namespace = "{name}"'
            for command, account in ACCOUNTS.items()
        }
        logins["reseal"] = f'method = "token"\ntoken_file = "{production.path("admin")}"'
        straight = production.kubernetes.kubeconfig(name, HUMAN)
        there = json.loads(straight.read_text())
        there["clusters"][0]["cluster"]["server"] = self._proxy.address("kubernetes")
        through = production.write("through.kubeconfig", json.dumps(there))
        ways = {
            "": (straight, production.vault.address),
            THROUGH: (through, self._proxy.address("vault")),
        }
        for command, login in logins.items():
            for way, (kubeconfig, address) in ways.items():
                toml = production.configure(
                    file=f"{command}{way}.toml",
                    login=login,
                    kubeconfig=kubeconfig,
                    address=address,
                )
                with Path(toml).open("a") as file:
                    file.write("\n[secrets.rotate]\nretire = true\n")

    # ------------------------------------------------------------------------------- the commands

    def sealing(self, what: str, value: str) -> Words:
        """What lets ``matrix encrypt`` put it there; ``what``: a layout, or a field."""
        source = f"Secret {self.production.name}/{NAMES['fields']}"
        match what:
            case "document":
                source = f"Secret {self.production.name}/{NAMES['document']}"
                content = {"tide": {"token": value}}
            case "fields":
                content = {"tide": {"pin": value}, "moon": {"pin": value}}
            case _:
                content = {what: {"pin": value}}
        file = self.production.write(f"{what} {value}.json", json.dumps(content))
        return ("encrypt", *(() if what == "document" else ("--fields",)), "--source", source, file)

    def leave_before(self, value: str) -> None:
        """What another tool has sealed."""
        vault, name = self.production.vault, self.production.name
        vault.must("POST", f"{name}/keys/{LOOSE_KEY}")
        text = base64.b64encode(json.dumps({"tide": {"token": value}}).encode()).decode()
        sealed = vault.must("POST", f"{name}/encrypt/{LOOSE_KEY}", {"plaintext": text})
        self.production.put(BEFORE, {DATA_KEY: sealed["data"]["ciphertext"]})

    @property
    def resealing(self) -> Words:
        """What lets ``matrix reseal`` take that into the document."""
        old, new = (f"{self.production.name}/{each}" for each in (BEFORE, NAMES["document"]))
        return "reseal", "--from", f"{old}:{DATA_KEY}", "--from-key", LOOSE_KEY, "--to", new

    def at_each_call(
        self, happen: Callable[[int, Commands], Act], words: Callable[[int], Words]
    ) -> Iterator[Run]:
        """A command again and again: something happens at the first call of the first run, at the
        second of the second, and so on until one ends, and ends well, before it happens."""
        for at in itertools.count(1):
            run = self._run(happen(at, self._commands), at, words(at))
            if len(run.calls) < at:
                assert run.end.status == 0, run.end
                print(f"{run.words[0]}: at each of its {at - 1} calls")
                return
            yield run

    def also(self, *words: str) -> End:
        """Another command, straight to the servers."""
        return self._others.run(*words, MATRIX_TOML=self.toml(words[0]))

    def toml(self, command: str, way: str = "") -> str:
        """The ``matrix.toml`` of a command, which asks the servers themselves or ``THROUGH`` the
        proxy."""
        return self.production.path(f"{command}{way}.toml")

    def toml_at_once(self) -> str:
        """That of a rotator that makes a version every second, and retires what it replaces."""
        text = Path(self.toml("rotate")).read_text() + "min_age_hours = 0\ngrace_hours = 0\n"
        return self.production.write("at-once.toml", text)

    def _run(self, act: Act, at: int, words: Words) -> Run:
        with self._proxy.acting(act) as calls:
            end = self._commands.run(*words, MATRIX_TOML=self.toml(words[0], THROUGH))
        return Run(words, calls, at, end)

    # ------------------------------------------------------------------------------ what is there

    def read(self, what: str) -> str:
        """What services get of a layout or of a field, with one login for all readings; nothing, if
        there is no Secret."""
        layout: Layout = "document" if what == "document" else "fields"
        service = "moon" if what == "moon" else "tide"
        data_key = DATA_KEY if what == "document" else f"{service}.pin"
        held = self._stores[layout].read()
        if held is None:
            return ""
        context = self.production.place(layout, NAMES[layout]).context(data_key)
        text = self._readers[service].decrypt(Sealed(context, held.data[data_key])).decode()
        return str(json.loads(text)["tide"]["token"]) if what == "document" else text

    def read_as_a_service_starts(self, layout: Layout) -> int:
        """By a child's own means; returns how often it had to: what it read first may be retired
        before it is decrypted."""
        source = next(each for each in self._settings.sources if each.layout == layout)
        until_s = time.monotonic() + LIMIT_S
        for tries in itertools.count(1):
            try:
                assert read(source, self._settings.home, DECLARED).values["tide"]
            except SecretsUnavailable:
                assert time.monotonic() < until_s
            else:
                return tries
        raise AssertionError

    def state(self) -> State:
        key = self.production.vault.must("GET", self._key)["data"]
        versions = {}
        for layout, store in self._stores.items():
            held = store.read()
            assert held is not None
            versions[layout] = set(map(version_of, held.data.values()))
        return State(versions, key["latest_version"], key["min_decryption_version"])

    def remove(self, layout: Layout) -> None:
        secrets = f"/api/v1/namespaces/{self.production.name}/secrets"
        status, _ = self.production.kubernetes.request("DELETE", f"{secrets}/{NAMES[layout]}")
        assert status in (200, 404)

    def age(self) -> None:
        """Let all versions of the key be two days older."""
        vault, name = self.production.vault, self.production.name
        backup = vault.must("GET", f"{name}/backup/matrix")["data"]["backup"]
        key = json.loads(base64.b64decode(backup))
        for version in (*key["policy"]["keys"].values(), *key["archived_keys"]["keys"]):
            version["creation_time"] -= DAYS_S
        older = base64.b64encode(json.dumps(key).encode()).decode()
        vault.must("POST", f"{name}/restore/matrix", {"backup": older, "force": True})


@contextmanager
def house_of(
    vault: RealVault, kubernetes: RealKubernetes, authority: Authority, folder: Path
) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(Production(vault, kubernetes, folder), authority, stack)
