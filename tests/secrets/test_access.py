"""``access.json``: that it always says the same in the same way, and what contradicts itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from framework.config import Config, Place
from framework.errors import ConfigError
from framework.secrets.access import (
    Access,
    Namespace,
    Secret,
    Workload,
    data_keys_of,
    joined,
    merged,
)
from framework.secrets.tree import tree_of

HERE = Path("access.json")


def secret(*data_keys: str, name: str = "matrix-secrets", **more: Any) -> Secret:
    return Secret(**{"secret": name, "layout": "fields", "data_keys": data_keys, **more})


def workload(name: str, *reads: Secret, **more: Any) -> Workload:
    return Workload(
        **{"name": name, "service_account": name, "instances": (name,), "reads": reads, **more}
    )


def namespace(*workloads: Workload, **more: Any) -> Namespace:
    names = {"cluster": "home", "namespace": "matrix", "mount": "transit", "key": "matrix"}
    inventory = tuple(read for each in workloads for read in each.reads)
    return Namespace(
        **{
            **names,
            "auth": "kubernetes",
            "inventory": inventory,
            "workloads": workloads,
            **more,
        }
    )


TIDE = workload("tide", secret("tide.token", "redis_url"), publishes=("tide",))
AIR = workload("air", secret("air.token", "redis_url"))
TEXT = """\
{
  "format": 1,
  "namespaces": [
    {
      "cluster": "home",
      "namespace": "matrix",
      "mount": "transit",
      "key": "matrix",
      "auth": "kubernetes",
      "inventory": [
        {
          "secret": "matrix-secrets",
          "layout": "fields",
          "data_keys": [
            "redis_url",
            "tide.token"
          ]
        }
      ],
      "workloads": [
        {
          "name": "tide",
          "service_account": "tide",
          "instances": [
            "tide"
          ],
          "publishes": [
            "tide"
          ],
          "follows": [],
          "reads": [
            {
              "secret": "matrix-secrets",
              "layout": "fields",
              "data_keys": [
                "redis_url",
                "tide.token"
              ]
            }
          ]
        }
      ]
    }
  ]
}
"""


def test_the_text() -> None:
    access = merged([("matrix.toml", namespace(TIDE))])
    assert access.text() == TEXT
    assert Access.parse(TEXT, HERE) == access


@given(st.permutations([TIDE, AIR, workload("panel", secret("air.token", "tide.token"))]))
def test_the_order_of_what_is_given_is_of_no_importance(workloads: list[Workload]) -> None:
    parts = [(f"{each.name}.toml", namespace(each)) for each in workloads]
    away = ("away.toml", namespace(TIDE, cluster="away"))
    access = merged([*parts, away])
    assert access == merged([away, ("all.toml", namespace(*workloads))])
    assert [each.title for each in access.namespaces] == ["away/matrix", "home/matrix"]
    home = access.namespaces[1]
    assert [each.name for each in home.workloads] == ["air", "panel", "tide"]
    assert home.inventory == (secret("air.token", "redis_url", "tide.token"),)


def test_layouts_of_one_secret_stay_apart() -> None:
    whole = secret("secrets.json", layout="document")
    other = secret("other.json", layout="document")
    assert joined([secret("b"), whole, other, secret("a"), secret("a", name="aaa")]) == (
        secret("a", name="aaa"),
        secret("other.json", "secrets.json", layout="document"),
        secret("a", "b"),
    )


# -------------------------------------------------------------------------- what a class declares


class TideConfig(Place):
    station: str
    token: SecretStr


class OddConfig(Config):
    odd: str = Field(alias="an odd one")
    even: str


def test_a_shared_field_is_looked_for_in_two_places() -> None:
    data_keys = data_keys_of(tree_of([(TideConfig, "Tide-North")]))
    shared = list(Place.model_fields)
    sections = [f"tide_north.{name}" for name in (*shared, "station", "token")]
    assert sorted(data_keys) == sorted([*shared, *sections])


def test_several_classes_hold_all_that_one_of_them_declares() -> None:
    both = data_keys_of(tree_of([(TideConfig, "tide"), (OddConfig, "odd")]))
    assert "tide.token" in both
    assert [each for each in both if each.startswith("odd.")] == [
        *(f"odd.{name}" for name in (*Config.model_fields, "even"))
    ]


# -------------------------------------------------------------------------------- contradictions


def test_what_does_not_agree_is_named() -> None:
    other = namespace(workload("tide", secret("tide.other")), key="other", auth="k8s")
    with pytest.raises(ConfigError) as caught:
        merged([("a.toml", namespace(TIDE)), ("b.toml", other), ("c.toml", namespace(TIDE))])
    key, auth, twice = str(caught.value).splitlines()
    assert key.startswith("a.toml and b.toml have different names, matrix and other, for key of")
    assert "kubernetes and k8s, for login.mount of" in auth
    assert twice.startswith("a.toml and b.toml mean different things by tide in home/matrix")
    assert twice.endswith("--workload b.toml=NAME")


def altered(change: Any) -> str:
    table = json.loads(TEXT)
    change(table, table["namespaces"][0])
    return json.dumps(table)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table, _: table.update(format=2), "format must be 1"),
        (lambda table, _: table.pop("format"), "format is missing"),
        (lambda _, home: home.update(kye="x"), "nothing is called namespaces 1.kye; did you mean"),
        (lambda _, home: home.pop("key"), "namespaces 1.key is missing"),
        (lambda _, home: home.update(key="a*"), "namespaces 1.key must match ^[A-Za-z"),
        (lambda _, home: home["workloads"][0].update(name="a" * 64), "must have at most 63 char"),
        (lambda _, home: home.update(workloads=3), "namespaces 1.workloads must be a list"),
        (lambda _, home: home["inventory"][0]["data_keys"].pop(), "tide reads what the inventory"),
        (
            lambda _, home: home["inventory"].append(home["inventory"][0]),
            "matrix-secrets, layout fields, is twice in the inventory of home/matrix",
        ),
        (
            lambda _, home: home["workloads"][0]["reads"].append(home["inventory"][0]),
            "matrix-secrets, layout fields, is twice in what tide reads of home/matrix",
        ),
        (lambda _, home: home["workloads"].append(home["workloads"][0]), "called tide"),
        (lambda table, home: table["namespaces"].append(home), "home/matrix is there twice"),
    ],
)
def test_what_was_written_by_hand_is_checked(change: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Access.parse(altered(change), HERE)
    assert str(caught.value).startswith("access.json: ")
    assert said in str(caught.value)
    assert str(caught.value).endswith(". Have it made anew: matrix access")


@pytest.mark.parametrize(
    ("inventory", "said"),
    [
        ([], "namespaces 1.inventory must not be empty"),
        (
            [{"secret": "whole", "layout": "document", "data_keys": ["a b"]}],
            "namespaces 1.inventory 1.data_keys 1 must match ^[-._a-zA-Z0-9]+$",
        ),
    ],
)
def test_one_problem_is_one_line(inventory: list[Any], said: str) -> None:
    """Not one more for each list that it is in."""
    with pytest.raises(ConfigError) as caught:
        Access.parse(altered(lambda _, home: home.update(inventory=inventory)), HERE)
    assert str(caught.value) == f"access.json: {said}. Have it made anew: matrix access"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    with pytest.raises(ConfigError, match=r"access\.json cannot be read: No such file.*--from"):
        Access.read(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="it is not text in UTF-8"):
        Access.read(path)
    path.write_text(TEXT)
    assert Access.read(path).text() == TEXT


@given(st.text(max_size=200))
def test_any_other_text_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(ConfigError):
        Access.parse(text, HERE)


def test_names_that_kubernetes_does_not_take() -> None:
    for name in ("Tide", "tide_north", "-tide", "tide-", "a" * 64, "tide\n", ""):
        with pytest.raises(ValidationError):
            workload(name, secret("tide.token"))
