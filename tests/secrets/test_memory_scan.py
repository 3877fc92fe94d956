"""What a live service holds in its memory: what its class declares, and no other secret.

Another process looks through all of it. That it would find something is shown by a service that
reads its secrets by itself and deletes them as well as Python can.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.secrets.scanning import counts, living

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

CLASSES = """
from pydantic import BaseModel, SecretStr
from framework import Config, ServerBase, Values

class Tide(Values):
    height_m: float = 0.0

class Server(BaseModel):
    host: str

class TideConfig(Config):
    token: SecretStr
    server: Server
    tags: list[str]
    pin: SecretStr

class TideServer(ServerBase[Tide, TideConfig]):
    async def fetch(self):
        return Tide()
"""
EMBEDDED = """
service = TideServer()
"""
NAIVE = """
import gc, json
from pathlib import Path
from framework.secrets.hardening import harden
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.place import SecretPlace
from framework.secrets.local.filestore import FileStore
from framework.secrets.transit import Sealed

harden()
context = SecretPlace("document", "local", "local", "secrets").context("secrets.json")
text = FileStore(Path("secrets.sealed")).read().data["secrets.json"]
plaintext = LocalTransit(Path(".matrix/keyring")).decrypt(Sealed(context, text))
document = json.loads(plaintext)
declared = {name: document["tide"][name] for name in ("token", "server", "tags")}
service = TideServer(config=TideConfig(pin="x", **declared))
del text, plaintext, document, declared
gc.collect()
"""


@pytest.fixture
def sealed(folder: Any) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Sealed sources, what is declared of them, and what is not, the keys among it."""
    made: dict[str, str] = {}

    def new(name: str) -> str:
        made[name] = token_hex(24)
        return made[name]

    folder.seal(
        "secrets.sealed",
        {
            "tide": {
                "token": new("declared: scalar"),
                "server": {"host": new("declared: of a model"), "password": new("of a model")},
                "tags": [new("declared: item")],
                "other": new("in the section"),
            },
            "moon": {"token": new("in another section"), "list": [new("in a list there")]},
            "token": new("at the top level"),
        },
    )
    folder.seal_fields(
        "fields.sealed",
        {"tide.pin": new("declared: field"), "tide.other": new("field"), "moon.pin": new("its")},
    )
    folder.write("plain.json", json.dumps({"tide": {"note": new("plain")}}))
    folder.sources(
        'path = "secrets.sealed"',
        'path = "fields.sealed"\nlayout = "fields"',
        'path = "plain.json"\nplain = true',
    )
    folder.write("matrix.toml", Path("matrix.toml").read_text().replace("profilers = true\n", ""))
    key = json.loads((folder.path / ".matrix" / "keyring").read_text())["versions"][0]["key"]
    secrets = {name: secret.encode() for name, secret in made.items()}
    secrets["the key"] = base64.b64decode(key)
    secrets["the key, as it is kept"] = key.encode()
    declared = {name: each for name, each in secrets.items() if name.startswith("declared")}
    return declared, {name: each for name, each in secrets.items() if name not in declared}


def test_a_service_holds_what_it_declares_and_nothing_else(
    folder: Any, sealed: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    declared, others = sealed
    with living(CLASSES + EMBEDDED) as pid:
        found = counts(pid, declared | others)
    assert {name for name in declared if not found[name]} == set()
    assert {name: found[name] for name in others if found[name]} == {}


def test_the_scan_finds_what_a_service_that_reads_by_itself_has_left(
    folder: Any, sealed: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    _, others = sealed
    with living(CLASSES + NAIVE) as pid:
        found = counts(pid, others)
    assert found["in another section"] > 0
    assert found["at the top level"] > 0
    assert found["the key"] + found["the key, as it is kept"] > 0
