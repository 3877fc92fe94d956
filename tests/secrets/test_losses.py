"""What a policy would lose, as ``policies`` writes it and as others might."""

from __future__ import annotations

import pytest

from framework.secrets.vault.losses import lost_by_policy, lost_by_role

PINNED = """
path "transit/decrypt/matrix" {
  capabilities = ["update"]
  required_parameters = ["ciphertext", "context"]
  allowed_parameters = {
    "ciphertext" = []
    "context" = [
      "QQ==", # a in some
      "Qg==", # b in some
    ]
  }
}
"""
REVOKE = 'path "auth/token/revoke-self" {\n  capabilities = ["update"]\n}\n'


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ("", PINNED, []),
        ("# nothing", PINNED, []),
        (PINNED, PINNED, []),
        (PINNED, REVOKE + PINNED, []),
        (f"# of old\n{PINNED}", PINNED.replace("a in some", "a of some"), []),
        (PINNED, PINNED.replace('      "QQ==", # a in some\n', ""), ["a in some"]),
        (PINNED + REVOKE, PINNED, ["auth/token/revoke-self"]),
        (
            REVOKE.replace('"update"', '"read", "update"'),
            REVOKE,
            ['capabilities = ["read", "update"] of auth/token/revoke-self'],
        ),
        # What limits is lost the other way round.
        (
            PINNED.replace("  required_parameters", "  # required_parameters"),
            PINNED,
            ["transit/decrypt/matrix without required_parameters"],
        ),
        (PINNED, PINNED.replace("  required_parameters", "  # required_parameters"), []),
        (
            'path "transit/decrypt/matrix" { capabilities = ["update"] }',
            PINNED,
            [
                "transit/decrypt/matrix without required_parameters",
                "transit/decrypt/matrix without allowed_parameters",
            ],
        ),
    ],
)
def test_what_a_policy_would_lose(before: str, after: str, lost: list[str]) -> None:
    assert lost_by_policy(before, after) == lost


def test_what_is_lost_twice_is_named_once() -> None:
    both = PINNED + PINNED.replace("decrypt", "rewrap")
    assert lost_by_policy(both, both.replace('      "QQ==", # a in some\n', "")) == ["a in some"]


def test_what_a_role_would_lose() -> None:
    wanted = {
        "bound_service_account_names": ["tide"],
        "bound_service_account_namespaces": ["matrix"],
        "bound_service_account_namespace_selector": "",
        "token_policies": ["mine"],
        "token_ttl": 60,
    }
    assert lost_by_role(dict.fromkeys(wanted), wanted) == []
    assert lost_by_role({**wanted, "token_ttl": 86400}, wanted) == []
    more = {
        **wanted,
        "bound_service_account_names": ["pi", "tide"],
        "bound_service_account_namespace_selector": "{}",
        "token_policies": ["root"],
    }
    assert lost_by_role(more, wanted) == [
        "bound_service_account_names pi",
        "bound_service_account_namespace_selector {}",
        "token_policies root",
    ]
