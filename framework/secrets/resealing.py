"""Have what is sealed at one place sealed at another, by the child that reads secrets too.

No plaintext comes here. What it is that is done, is ``resealer``'s.
"""

from __future__ import annotations

from dataclasses import asdict

from framework.errors import ConfigError, SecretsUnavailable
from framework.secrets.asking import Failure, ask
from framework.secrets.resealer import Resealed
from framework.secrets.source import Home, Source


def have_resealed(
    old: Source, old_home: Home, new: Source, new_home: Home, *, dry_run: bool
) -> Resealed:
    """:raises ConfigError: it is refused, and will be again.
    :raises SecretsUnavailable: somebody does not answer; it may be made all the same.
    """
    asked = {"old": asdict(old), "old_home": asdict(old_home)}
    asked |= {"new": asdict(new), "new_home": asdict(new_home)}
    outcome = ask({"reseal": {**asked, "dry_run": dry_run}})
    if not isinstance(outcome, Failure):
        return Resealed(**outcome[0])
    if outcome.kind == "refused":
        raise ConfigError(outcome.sentence)
    raise SecretsUnavailable(
        f"the secrets cannot be resealed now: {outcome.sentence}. Run it again, which is always "
        "safe: it writes over nothing"
    )
