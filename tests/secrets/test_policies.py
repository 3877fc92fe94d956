"""What Vault is told: the very text of policies, and that no name can say more in one."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from framework.errors import ConfigError
from framework.secrets.access import Namespace, Secret, Workload
from framework.secrets.vault.policies import (
    Role,
    encryptor_name,
    owner_of,
    reader_name,
    roles_of,
    rotator_name,
)

MADE = "# Made from access.json by matrix vault bootstrap, which will undo changes.\n"
READER = (
    "# What tide in home/matrix may decrypt.\n"
    + MADE
    + """
path "transit/decrypt/matrix" {
  capabilities = ["update"]
  required_parameters = ["ciphertext", "context"]
  allowed_parameters = {
    "ciphertext" = []
    "context" = [
      "djEAZmllbGRzAGhvbWUAbWF0cml4AG1hdHJpeC1zZWNyZXRzAHJlZGlzX3VybA==", # redis_url in \
matrix-secrets
      "djEAZmllbGRzAGhvbWUAbWF0cml4AG1hdHJpeC1zZWNyZXRzAHRpZGUudG9rZW4=", # tide.token in \
matrix-secrets
    ]
  }
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
"""
)
ENCRYPTOR = (
    "# Who seals secrets of home/matrix, and cannot decrypt them.\n"
    + MADE
    + """
path "transit/encrypt/matrix" {
  capabilities = ["update"]
  required_parameters = ["plaintext", "context"]
  allowed_parameters = {
    "plaintext" = []
    "context" = [
      "djEAZG9jdW1lbnQAaG9tZQBtYXRyaXgAd2hvbGUAc2VjcmV0cy5qc29u", # secrets.json in whole
    ]
  }
}

path "transit/rewrap/matrix" {
  capabilities = ["update"]
  required_parameters = ["ciphertext", "context"]
  allowed_parameters = {
    "ciphertext" = []
    "context" = [
      "djEAZG9jdW1lbnQAaG9tZQBtYXRyaXgAd2hvbGUAc2VjcmV0cy5qc29u", # secrets.json in whole
    ]
  }
}

path "transit/keys/matrix" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
"""
)
ROTATOR = (
    "# Who rotates the key of home/matrix, and cannot decrypt with it.\n"
    + MADE
    + """
path "transit/keys/matrix" {
  capabilities = ["read"]
}

path "transit/keys/matrix/rotate" {
  capabilities = ["update"]
}

path "transit/rewrap/matrix" {
  capabilities = ["update"]
  allowed_parameters = {
    "ciphertext" = []
    "context" = []
    "batch_input" = []
  }
}

path "transit/keys/matrix/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
  }
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
"""
)
NAMES = {"cluster": "home", "namespace": "matrix", "mount": "transit", "key": "matrix"}


def fields(*data_keys: str, name: str = "matrix-secrets") -> Secret:
    return Secret(secret=name, layout="fields", data_keys=data_keys)


def document(name: str = "whole") -> Secret:
    return Secret(secret=name, layout="document", data_keys=("secrets.json",))


def namespace(*reads: Secret, name: str = "tide", **more: Any) -> Namespace:
    workload = Workload(
        name=name,
        service_account=more.pop("service_account", "tide"),
        instances=("tide",),
        reads=reads,
    )
    return Namespace(
        **{
            **NAMES,
            "auth": "kubernetes",
            "inventory": reads,
            "workloads": (workload,),
            **more,
        }
    )


def by_name(*namespaces: Namespace) -> dict[str, Role]:
    return {role.name: role for role in roles_of(namespaces)}


def test_the_text_of_each_policy() -> None:
    roles = by_name(namespace(fields("tide.token", "redis_url")))
    assert list(roles) == [
        "matrix_home_matrix_read_tide",
        "matrix_home_matrix_encrypt",
        "matrix_home_matrix_rotate",
    ]
    assert roles["matrix_home_matrix_read_tide"].policy == READER
    roles = by_name(namespace(document()))
    assert roles["matrix_home_matrix_encrypt"].policy == ENCRYPTOR
    assert roles["matrix_home_matrix_rotate"].policy == ROTATOR


def test_contexts_are_those_of_the_places() -> None:
    found = re.findall(r'^ {6}"(.*)", #', READER, re.MULTILINE)
    assert [base64.b64decode(each) for each in found] == [
        b"v1\0fields\0home\0matrix\0matrix-secrets\0redis_url",
        b"v1\0fields\0home\0matrix\0matrix-secrets\0tide.token",
    ]


def test_the_settings_of_a_role() -> None:
    tide = namespace(fields("tide.token"), service_account="tides")
    assert by_name(tide)[reader_name(tide, "tide")].settings == {
        "bound_service_account_names": ["tides"],
        "bound_service_account_namespaces": ["matrix"],
        "bound_service_account_namespace_selector": "",
        "audience": "vault",
        "alias_name_source": "serviceaccount_uid",
        "token_policies": ["matrix_home_matrix_read_tide"],
        "token_ttl": 60,
        "token_max_ttl": 60,
        "token_explicit_max_ttl": 0,
        "token_period": 0,
        "token_num_uses": 0,
        "token_no_default_policy": True,
        "token_type": "service",
    }


# ------------------------------------------------------------------------------------------ names


@example("a-b", "c", "read-d")
@example("a", "b-c", "encrypt")
@example("a.b", "c", "rotate")
@given(*[st.from_regex("[a-z0-9]([-a-z0-9.]{0,4}[a-z0-9])?", fullmatch=True)] * 3)
def test_a_name_says_whose_it_is(cluster: str, where: str, workload: str) -> None:
    try:
        each = namespace(document(), name=workload, cluster=cluster, namespace=where)
    except ValidationError:
        return
    names = [role.name for role in roles_of([each])]
    assert names == [reader_name(each, workload), encryptor_name(each), rotator_name(each)]
    assert len(set(names)) == 3
    assert {owner_of(name) for name in names} == {(cluster, where)}


@pytest.mark.parametrize(
    "name",
    ["matrix_a_b_c", "matrix_a_b_read_", "matrix_a_b_read_c_d", "matrix_a_encrypt", "default"],
)
def test_another_name_is_nobody_s(name: str) -> None:
    assert owner_of(name) is None


# ------------------------------------------------------------------------- what would be one thing


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({}, {"namespace": "other"}, "home/matrix and home/other have one key, matrix of transit"),
        (
            {},
            {"cluster": "away", "key": "other"},
            "auth/kubernetes cannot know the service accounts of two clusters, home and away",
        ),
        ({"service_account": "matrix-rotate"}, {}, "cannot have the service account matrix-rotate"),
    ],
)
def test_what_vault_could_not_tell_apart(
    one: dict[str, str], other: dict[str, str], said: str
) -> None:
    given = [namespace(document(), **one)]
    given += [namespace(document(), **other)] if other else []
    with pytest.raises(ConfigError, match=said):
        roles_of(given)


# ---------------------------------------------------------------------------- names as one likes

BREAKERS = st.sampled_from(
    ['"', "\\", "\n", "${x}", "*", "+", "/", "#", "../", " ", "é", "a", "tide", "-", ".", "\0"]
)
ANY = st.lists(st.one_of(BREAKERS, st.text(max_size=3)), max_size=4).map("".join)
SHAPE = re.sub(
    '"[^"]*"|#.*', "", by_name(namespace(document()))["matrix_home_matrix_rotate"].policy
)


@example("mount", "a/b.c")
@example("key", "a.b-C_1")
@given(st.sampled_from(["cluster", "namespace", "mount", "key", "auth"]), ANY)
def test_a_name_is_refused_or_is_nothing_but_a_name(where: str, name: str) -> None:
    try:
        roles = roles_of([namespace(document(), **{where: name})])
    except ValidationError:
        return
    policy = roles[-1].policy
    assert re.sub('"[^"]*"|#.*', "", policy) == SHAPE
    names = {**NAMES, where: name}
    assert re.findall('^path "([^"]*)" {$', policy, re.MULTILINE) == [
        f"{names['mount']}/keys/{names['key']}",
        f"{names['mount']}/keys/{names['key']}/rotate",
        f"{names['mount']}/rewrap/{names['key']}",
        f"{names['mount']}/keys/{names['key']}/config",
        "auth/token/revoke-self",
    ]
    assert not set("*+$\\") & set(policy)


@example("a.b", "-._A", "tide-2")
@given(ANY, ANY, ANY)
def test_so_are_those_of_what_is_read(secret: str, data_key: str, workload: str) -> None:
    try:
        reads = fields(data_key, name=secret)
        (reader, *_) = roles_of([namespace(reads, name=workload)])
    except ValidationError:
        return
    head, _, rest = reader.policy.partition('context" = [\n')
    line, _, end = rest.partition("\n")
    context = base64.b64encode(f"v1\0fields\0home\0matrix\0{secret}\0{data_key}".encode()).decode()
    assert line == f'      "{context}", # {data_key} in {secret}'
    assert end.startswith("    ]\n  }\n}\n")
    assert head.startswith(f"# What {workload} in home/matrix may decrypt.\n{MADE}\npath ")
