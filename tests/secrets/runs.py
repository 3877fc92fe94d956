"""Encrypts and rotates in processes that are killed, stopped, or refused a step.

Run as a module by ``test_encrypt_rotate_faults.py``: a keyring and two sealed files in a folder of
their own, what a process does there, and what others do meanwhile.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from framework.errors import MatrixError
from framework.secrets.encryptor import Encryptor
from framework.secrets.local.filestore import FileStore
from framework.secrets.local.keyring import LocalTransit
from framework.secrets.local.source import FileSource
from framework.secrets.plan import Settings
from framework.secrets.prune import Tree
from framework.secrets.reader import read
from framework.secrets.rotator import Entry, Outcome, rotate
from framework.secrets.source import Home
from framework.secrets.transit import version_of
from tests.secrets.steps import Write, fill, in_child, kill, outcome, stop, sweep

DOCUMENT = FileSource(path="home.sealed")
FIELDS = FileSource(path="parts.sealed", layout="fields")
DECLARED = Tree({"tide": {"token": {}, "station": {}}}, {})
BOTH = ("tide.token", "tide.station")

DAILY = Settings(retire=True)
AT_ONCE = Settings(min_age=timedelta(0), grace=timedelta(0), retire=True)
"""Every run makes a version, and retires what the one before it has replaced."""


class AheadTransit(LocalTransit):
    """A keyring whose clock is some days ahead."""

    days = 0

    def now(self) -> datetime:
        return super().now() + timedelta(days=self.days)


class PassedTransit(AheadTransit):
    """One that is rotated just after something was encrypted with it, unless it was before."""

    def encrypt(self, context: bytes, plaintext: bytes) -> str:
        text = super().encrypt(context, plaintext)
        if self.read_key().latest == version_of(text) == 2:
            self.rotate()
        return text


class Unfinished(MatrixError):
    """A rotation that did not do all that was due."""


class House:
    """The folder, 60 days after its keyring was made, and 30 after that was rotated."""

    def __init__(
        self, folder: Path, *, kind: type[AheadTransit] = AheadTransit, patience_s: float = 10.0
    ) -> None:
        self.folder = folder
        self.transit = kind(folder / "keyring", patience_s=patience_s)
        self.transit.days = 60
        self.stores = {
            source: FileStore(folder / source.path, patience_s=patience_s)
            for source in (DOCUMENT, FIELDS)
        }

    def make(self) -> None:
        AheadTransit.create(self.transit.path)
        self.transit.days = 30
        self.transit.rotate()
        self.document("old")
        self.fields("old")

    def document(self, value: str) -> None:
        text = json.dumps({"tide": dict.fromkeys(("token", "station"), value)})
        encryptor = Encryptor(self.transit, self.stores[DOCUMENT], DOCUMENT.place)
        encryptor.document("secrets.json", text.encode())

    def fields(self, value: str, *data_keys: str, prune: bool = False) -> None:
        values = dict.fromkeys(data_keys or BOTH, value.encode())
        Encryptor(self.transit, self.stores[FIELDS], FIELDS.place).fields(values, prune=prune)

    def rotate(self, settings: Settings) -> None:
        entries = [Entry(source.place, store) for source, store in self.stores.items()]
        result = rotate(self.transit, entries, settings=settings)
        if result.outcome not in (Outcome.DONE, Outcome.NOTHING):
            reasons = [*result.reasons, *(each.reason for each in result.records if each.reason)]
            raise Unfinished(f"{result.outcome.value}: {'; '.join(reasons)}")

    def state(self) -> str:
        """What a reader reads of each file, with its key versions; and those of the key."""
        key = self.transit.read_key()
        files = [f"{source.place.secret}: {self._read(source)}" for source in self.stores]
        return f"{', '.join(files)}, key: v{key.min_decryption_version} to v{key.latest}"

    def _read(self, source: FileSource) -> str:
        stored = self.stores[source].read()
        if stored is None:
            return "none"
        try:
            home = Home(str(self.folder), str(self.transit.path))
            tide = read(source, home, DECLARED).values["tide"]
        except MatrixError as error:
            return f"{type(error).__name__}: {error}"
        values = [*(tide[name] for name in sorted(tide))]
        versions = sorted({f"v{version_of(text)}" for text in stored.data.values()})
        return " ".join((*values, *versions))


def run(
    do: Callable[[House], object],
    *,
    absent: FileSource | None = None,
    kind: type[AheadTransit] = AheadTransit,
) -> Write:
    """A run in such a folder, in which a file may be missing."""

    def before(path: Path) -> None:
        made = path.parent.with_name("made")
        if not made.exists():
            made.mkdir()
            House(made).make()
            if absent is not None:
                (made / absent.path).unlink()
        shutil.copytree(made, path.parent)

    return Write(
        before=before,
        do=lambda path: do(House(path.parent, kind=kind)),
        state=lambda path: House(path.parent).state(),
    )


RUNS = {
    "document": run(lambda house: house.document("new")),
    "first document": run(lambda house: house.document("new"), absent=DOCUMENT),
    "document, passed by": run(lambda house: house.document("new"), kind=PassedTransit),
    "fields": run(lambda house: house.fields("new")),
    "first fields": run(lambda house: house.fields("new"), absent=FIELDS),
    "one field": run(lambda house: house.fields("new", "tide.token")),
    "prune": run(lambda house: house.fields("new", "tide.token", prune=True)),
    "rotate": run(lambda house: house.rotate(DAILY)),
}


def rotations(house: House) -> None:
    for _ in range(3):
        house.rotate(AT_ONCE)


def a_value_and_rotations(house: House) -> None:
    house.document("other")
    rotations(house)


MEANWHILE = {
    "rotations": rotations,
    "a value, rotations": a_value_and_rotations,
    "document": lambda house: house.document("other"),
    "another field": lambda house: house.fields("other", "tide.station"),
}


def stop_everywhere(write: Write, path: Path, meanwhile: Callable[[House], None]) -> None:
    """Stop before every step in turn while others go on; print what came of both."""
    for number in itertools.count(1):
        write.before(path)
        others = House(path.parent, patience_s=0)
        report: dict[str, str] = {}

        def act(others: House = others, report: dict[str, str] = report) -> None:
            report["meanwhile"] = outcome(partial(meanwhile, others))
            report["then"] = others.state()

        said = in_child(lambda: write.do(path), partial(stop, number), act)
        step, stopped, ended = said.partition("\n")
        if not stopped:
            return
        report |= {"step": step, "ended": ended, "now": write.state(path)}
        report["again"] = outcome(partial(others.rotate, AT_ONCE))
        report["at last"] = others.state()
        print(json.dumps(report))
        shutil.rmtree(path.parent)


def contend(house: House) -> None:
    """For each line of input, a value and data keys: encrypt it, and say how that ended."""
    for line in sys.stdin:
        value, *data_keys = line.split()
        if data_keys:
            print(outcome(partial(house.fields, value, *data_keys)), flush=True)
        else:
            print(outcome(partial(house.document, value)), flush=True)


def main(mode: str, what: str, meanwhile: str, path: Path) -> None:
    house = House(path.parent)
    match mode:
        case "make":
            RUNS[what].before(path)
        case "state":
            print(RUNS[what].state(path))
        case "kill":
            sweep(RUNS[what], path, kill, "before", "half")
        case "full":
            sweep(RUNS[what], path, fill, "ENOSPC", "EROFS")
        case "stop":
            stop_everywhere(RUNS[what], path, MEANWHILE[meanwhile])
        case "contend":
            contend(house)
        case "rotate":
            for _ in range(int(what)):
                print(outcome(partial(house.rotate, AT_ONCE)))
        case "count up":
            for value in (f"take-{number:03}" for number in range(int(what))):
                print("document", value, outcome(partial(house.document, value)))
                print("fields", value, outcome(partial(house.fields, value)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
