"""Have what is sealed at one place sealed at another, by the child that reads secrets too.

No plaintext comes here. What it is that is done, is ``resealer``'s.
"""

from __future__ import annotations

from dataclasses import asdict

from framework.errors import ConfigError, SecretsUnavailable
from framework.secrets.asking import Failure, ask
from framework.secrets.child import FIELD_S, LIFETIME_S
from framework.secrets.resealer import Resealed
from framework.secrets.source import Home, Source

LIMIT_S = 24 * 3600.0
"""For a child that cannot end by itself: it alone knows how many fields there are."""


def have_resealed(
    old: Source, old_home: Home, new: Source, new_home: Home, *, dry_run: bool, patience_s: float
) -> Resealed:
    """``patience_s``: how long it may take, even if there are few fields.

    :raises ConfigError: it is refused, and will be again.
    :raises SecretsUnavailable: somebody does not answer; it may be made all the same.
    """
    asked = {"old": asdict(old), "old_home": asdict(old_home)}
    asked |= {"new": asdict(new), "new_home": asdict(new_home)}
    outcome = ask(
        {"reseal": {**asked, "dry_run": dry_run, "patience_s": patience_s}}, limit_s=LIMIT_S
    )
    if not isinstance(outcome, Failure):
        return Resealed(**outcome[0])
    if outcome.kind == "refused":
        raise ConfigError(outcome.sentence)
    again = "Run it again, which is always safe: it writes over nothing"
    if outcome.is_late:
        raise SecretsUnavailable(
            f"resealing took more than {max(LIFETIME_S, patience_s):g} s, and more than "
            f"{FIELD_S} s for each field: see what holds up Vault or the network, or raise "
            f"[secrets] patience in matrix.toml. {again}"
        )
    raise SecretsUnavailable(f"the secrets cannot be resealed now: {outcome.sentence}. {again}")
