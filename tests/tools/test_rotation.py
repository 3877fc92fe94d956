"""A rotation in a sentence: of runs that took place, on a key in memory whose clock is set."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from framework.secrets import rotator
from framework.secrets.encryptor import Encryptor
from framework.secrets.place import SecretPlace
from framework.secrets.plan import Settings
from framework.secrets.rotator import Entry
from framework.secrets.transit import TransitUnavailable
from framework.testing.secrets import MemoryStore, MemoryTransit
from framework.tools.rotation import Rotation

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
PLACE = SecretPlace("fields", "local", "local", "fields")
RETIRE = Settings(retire=True)


class Story:
    """A Secret with two data keys at v1, and what becomes of it hour by hour."""

    def __init__(self) -> None:
        self.now = T0
        self.transit = MemoryTransit(lambda: self.now)
        self.store = MemoryStore()
        self.seal("tide.token", "latitude")

    def seal(self, *data_keys: str) -> None:
        encryptor = Encryptor(self.transit, self.store, PLACE)
        encryptor.fields(dict.fromkeys(data_keys, b"52"))

    def run(
        self,
        *,
        hours: float = 0,
        settings: Settings = RETIRE,
        dry_run: bool = False,
        recover: bool = False,
    ) -> Rotation:
        """After so many hours."""
        self.now += timedelta(hours=hours)
        result = rotator.rotate(
            self.transit,
            [Entry(PLACE, self.store)],
            settings=settings,
            dry_run=dry_run,
            recover=recover,
        )
        return Rotation(
            result,
            settings=settings,
            names={},
            dry_run=dry_run,
            recover=recover,
        )

    def put_back(self, data: dict[str, str]) -> None:
        held = self.store.read()
        assert held is not None
        self.store.replace(held, {**held.data, **data}, held.annotations)

    @property
    def data(self) -> dict[str, str]:
        held = self.store.read()
        assert held is not None
        return dict(held.data)


@pytest.fixture
def story() -> Story:
    return Story()


def test_day_by_day_with_retire(story: Story) -> None:
    assert story.run(hours=1).summary == (
        "nothing to do: 2 data keys at v1, and that is not more than 20 h old; "
        "min_decryption_version stays 1"
    )
    assert story.run(hours=23).summary == (
        "rotated the key to v2, rewrapped 2 data keys; "
        "min_decryption_version stays 1 (v1 was in use when this run began)"
    )
    assert story.run(hours=23, dry_run=True).summary == (
        "would rotate the key to v3, rewrap 2 data keys; "
        "min_decryption_version stays 1 (v2 is not 24 h old yet)"
    )
    assert story.run(hours=1, dry_run=True).summary == (
        "would rotate the key to v3, rewrap 2 data keys, raise min_decryption_version to 2"
    )
    assert story.run().summary == (
        "rotated the key to v3, rewrapped 2 data keys, raised min_decryption_version to 2"
    )
    assert story.run(settings=Settings()).summary == (
        "nothing to do: 2 data keys at v3, and that is not more than 20 h old; "
        "min_decryption_version stays 2 (retire = false)"
    )


def test_one_that_was_missed_is_brought_up(story: Story) -> None:
    old = story.data["latitude"]
    story.run(hours=24)
    story.put_back({"latitude": old})
    rotation = story.run()
    assert rotation.summary == (
        "rewrapped 1 data key to v2; "
        "min_decryption_version stays 1 (v1 was in use when this run began)"
    )
    assert story.run(dry_run=True).summary.startswith("nothing to do: 2 data keys at v2")


def test_an_old_copy_and_recover(story: Story) -> None:
    old = story.data["latitude"]
    for _ in range(2):
        story.run(hours=24)
    story.put_back({"latitude": old})
    assert story.run(dry_run=True).summary == (
        "blocked: would change nothing; 1 blocked; "
        "min_decryption_version stays 2 (until a run does all of it)"
    )
    assert story.run(dry_run=True, recover=True).summary == (
        "would lower min_decryption_version to 1, rewrap 1 data key to v3; "
        "a later run raises it again"
    )
    assert story.run(recover=True, settings=Settings()).summary == (
        "lowered min_decryption_version to 1, rewrapped 1 data key to v3; "
        "it stays there (retire = false)"
    )
    assert story.run(recover=True).summary == (
        "nothing to do: 2 data keys at v3; "
        "min_decryption_version stays 1 (only a run without --recover raises it)"
    )


def test_a_restored_transit(story: Story) -> None:
    backup = story.transit.keyring
    story.run(hours=24)
    story.transit.keyring = backup
    *lines, summary = story.run().table(1000)
    assert summary == (
        "blocked: nothing was changed; 2 blocked; "
        "min_decryption_version stays 1 (until a run does all of it)"
    )
    assert any(
        line.startswith("nothing was rotated or written: the key (keyring or Vault)")
        for line in lines
    )


def test_the_transit_goes_away_midway(story: Story) -> None:
    def away(call: str) -> None:
        if call == "rewrap" and len(story.transit.keyring.versions) > 1:
            raise TransitUnavailable("Vault is sealed")

    story.transit.before = away
    rotation = story.run(hours=24)
    assert rotation.summary == (
        "failed: rotated the key to v2; 2 still due; "
        "min_decryption_version stays 1 (until a run does all of it)"
    )
    assert "Vault is sealed" in list(rotation.table(80))


def test_what_is_not_known_of_the_key_is_not_said(story: Story) -> None:
    def away(call: str) -> None:
        raise TransitUnavailable("Vault is sealed")

    story.transit.before = away
    result = rotator.rotate(story.transit, [Entry(PLACE, story.store)])
    rotation = Rotation(result, settings=RETIRE, names={}, dry_run=False, recover=False)
    assert list(rotation.table(80)) == ["Vault is sealed", "failed: nothing was changed"]
    (line,) = rotation.json_lines()
    assert json.loads(line) == {
        "outcome": "failed",
        "dry_run": False,
        "rotated": False,
        "key_version": None,
        "min_decryption_version": None,
        "reasons": ["Vault is sealed"],
        "summary": "failed: nothing was changed",
    }
